"""Scores against the same formulas written out in loops."""

import math

import pytest
import torch
from torch import Tensor

from tokonomy_methods.kv import scores

B, Q, H, L, D = 2, 4, 2, 30, 6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


QUERIES, KEYS, VALUES = normal(B, Q, L, D), normal(B, H, L, D, seed=1), normal(B, H, L, D, seed=2)
SCALE = D**-0.5


def looks(b: int, q: int, query: int) -> list[float]:
    """Weights of one query over the rows up to its own."""
    keys = KEYS[b, q // (Q // H), : query + 1]
    logits = [SCALE * float(QUERIES[b, q, query] @ key) for key in keys]
    total = sum(math.exp(each) for each in logits)
    return [math.exp(each) / total for each in logits] + [0.0] * (L - query - 1)


def test_attention_is_causal_and_grouped() -> None:
    found = scores.attention(QUERIES[:, :, -3:], KEYS, SCALE)
    assert found.shape == (B, H, Q // H, 3, L)
    for b in range(B):
        for q in range(Q):
            wanted = torch.tensor([looks(b, q, query) for query in range(L - 3, L)])
            torch.testing.assert_close(found[b, q // 2, q % 2], wanted)


@pytest.mark.parametrize("block", [7, 256])
def test_received_sums_over_all_queries(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_BLOCK", block)
    found = scores.received(QUERIES, KEYS, SCALE)
    for b in range(B):
        for h in range(H):
            each = [[looks(b, q, query) for query in range(L)] for q in (2 * h, 2 * h + 1)]
            torch.testing.assert_close(found[b, h], torch.tensor(each).sum(1).mean(0))


def test_received_counts_the_last_queries_only_where_no_others_are_given() -> None:
    found = scores.received(QUERIES[:, :, -1:], KEYS, SCALE)
    torch.testing.assert_close(
        found, scores.attention(QUERIES[:, :, -1:], KEYS, SCALE)[..., 0, :].mean(2)
    )


@pytest.mark.parametrize("pool", ["average", "max"])
@pytest.mark.parametrize("kernel", [1, 5])
def test_window_is_pooled_and_averaged_over_a_group(kernel: int, pool: scores.Pool) -> None:
    found = scores.window(QUERIES[:, :, -3:], KEYS, SCALE, kernel, pool)
    reach = kernel // 2
    for b in range(B):
        for h in range(H):
            heads = []
            for q in (2 * h, 2 * h + 1):
                each = [looks(b, q, query) for query in range(L - 3, L)]
                mean = [sum(row[j] for row in each) / 3 for j in range(L - 3)]
                near = [mean[max(0, j - reach) : j + reach + 1] for j in range(L - 3)]
                heads.append([sum(n) / kernel if pool == "average" else max(n) for n in near])
            wanted = torch.tensor(heads).mean(0)
            torch.testing.assert_close(found[b, h, :-3], wanted)
            assert found[b, h, -3:].tolist() == [pytest.approx(float(wanted.max()))] * 3


def test_last_is_one_mean_for_all_heads() -> None:
    found = scores.last(QUERIES[:, :, -1:], KEYS, SCALE)
    assert found.shape == (B, 1, L)
    for b in range(B):
        wanted = torch.tensor([looks(b, q, L - 1) for q in range(Q)]).mean(0)
        torch.testing.assert_close(found[b, 0], wanted)


def test_keys_alone() -> None:
    short, odd = scores.shortness(KEYS), scores.difference(KEYS)
    for b in range(B):
        for h in range(H):
            lengths = [math.sqrt(sum(float(c) ** 2 for c in key)) for key in KEYS[b, h]]
            torch.testing.assert_close(short[b, h], -torch.tensor(lengths))
            mean = (KEYS[b, h] / torch.tensor(lengths)[:, None]).mean(0)
            wanted = [
                -float(key @ mean) / (length * float(mean.norm()))
                for key, length in zip(KEYS[b, h], lengths, strict=True)
            ]
            torch.testing.assert_close(odd[b, h], torch.tensor(wanted))


def test_half_precision_scores_are_float32() -> None:
    keys = KEYS.bfloat16()
    for found in (scores.shortness(keys), scores.difference(keys), scores.lag(keys, keys, 2, 5)):
        assert found.dtype == torch.float32
    torch.testing.assert_close(scores.shortness(keys), scores.shortness(keys.float()))
    assert scores.attention(QUERIES.bfloat16(), keys, SCALE).dtype == torch.float32


def test_expected_attention_is_the_mean_over_normal_queries() -> None:
    """The mean of exp(q k) over normal q is exp of mean and half the variance, in the limit."""
    mean, root = normal(1, Q, D, seed=3), normal(1, Q, D, D, seed=4) / 3
    spread = root @ root.mT
    found = scores.expected(mean, spread, KEYS[:1], SCALE)
    draws = normal(200_000, D, seed=5)
    for h in range(H):
        heads = []
        for q in (2 * h, 2 * h + 1):
            queries = mean[0, q] + draws @ root[0, q].T
            exp = (queries @ KEYS[0, h].T * SCALE).double().exp().mean(0)
            heads.append(exp / exp.sum())
        wanted = torch.stack(heads).mean(0).float()
        torch.testing.assert_close(found[0, h], wanted, rtol=0.05, atol=1e-3)


def test_lag_ranks_rows_within_chunks_by_the_next_one() -> None:
    sinks, size = 2, 5
    found = scores.lag(KEYS, VALUES, sinks, size)
    whole = (L - sinks) // size
    for b in range(B):
        for h in range(H):
            for part in range(whole - 1):
                begin = sinks + part * size
                total = [0.0] * size
                for each in (KEYS, VALUES):
                    here, after = (
                        each[b, h, begin : begin + size],
                        each[b, h, begin + size : begin + 2 * size],
                    )
                    low, high = after.min(0).values, after.max(0).values
                    spread = [float(((row - low) / (high - low)).std()) for row in here]
                    top = sum(math.exp(s) for s in spread)
                    total = [t + math.exp(s) / top / 2 for t, s in zip(total, spread, strict=True)]
                ranks = [sorted(total).index(t) / size for t in total]
                assert found[b, h, begin : begin + size].tolist() == pytest.approx(ranks)
    end = sinks + (whole - 1) * size
    assert (found[..., :sinks] == 3).all()
    assert (found[..., end:].diff(dim=-1) > 0).all()
    assert found[..., end:].min() == 1
    assert found[..., sinks:end].max() < 1


@pytest.mark.parametrize("length", [1, 2, 5, 11])
def test_lag_of_what_has_no_two_chunks_is_recency(length: int) -> None:
    found = scores.lag(KEYS[:, :, :length], VALUES[:, :, :length], 2, 5)
    assert found.shape == (B, H, length)
    assert (found[..., :2] == 3).all()
    assert (found[..., 2:].diff(dim=-1) > 0).all()


def test_projected_is_the_sum_of_magnitudes_after_the_output() -> None:
    weight = normal(7, Q * D, seed=6)
    found = scores.projected(VALUES, weight)
    for b in range(B):
        for h in range(H):
            for row in range(L):
                heads = [
                    float((weight[:, q * D : (q + 1) * D] @ VALUES[b, h, row]).abs().sum())
                    for q in (2 * h, 2 * h + 1)
                ]
                assert float(found[b, h, row]) == pytest.approx(sum(heads) / 2, rel=1e-4)
