"""Checkpoints of language models: what is read, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, T5Config

from languages import ARCHITECTURES, edit_config, make_tokenizer, write_language, write_task
from tokonomy.errors import BadCheckpoint, BadData, BadParameter, UnknownId
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel

DECODING = Decoding()


def load(folder: Path) -> LanguageModel:
    return DECODING.load(f"hf:{folder}", device="cpu", precision="fp32")


def refused(folder: Path, match: str) -> None:
    with pytest.raises(BadCheckpoint, match=match) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_checkpoint_and_its_skeleton_are_of_one_shape(tmp_path: Path, architecture: str) -> None:
    folder = write_language(tmp_path, architecture)
    model, skeleton = load(folder), DECODING.skeleton(f"hf:{folder}")
    shapes = [
        {name: tuple(each.shape) for name, each in which.module.named_parameters()}
        for which in (model, skeleton)
    ]
    assert shapes[0] == shapes[1]
    assert {each.device.type for each in skeleton.module.parameters()} == {"meta"}
    assert not model.module.training
    assert (len(model.layers), model.vocabulary, model.positions) == (2, 512, 4096)
    assert {each.dtype for each in model.module.parameters()} == {torch.float32}


def test_two_loads_share_nothing(tmp_path: Path) -> None:
    folder = write_language(tmp_path)
    one, other = load(folder), load(folder)
    assert one.tokenizer is not other.tokenizer
    pointers = [{each.data_ptr() for each in m.module.parameters()} for m in (one, other)]
    assert not pointers[0] & pointers[1]


def test_the_hash_follows_weights_and_tokenizer(tmp_path: Path) -> None:
    folders = [write_language(tmp_path / name, seed=seed) for name, seed in
               (("one", 0), ("same", 0), ("other", 1), ("words", 0), ("ends", 0))]  # fmt: skip
    tokenizer = json.loads((folders[3] / "tokenizer.json").read_text())
    tokenizer["added_tokens"][0]["lstrip"] = True
    (folders[3] / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folders[4] / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
    hashes = [DECODING.describe_model(f"hf:{folder}").weights_hash for folder in folders]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "there is no such folder")
    with pytest.raises(BadCheckpoint, match="neither a folder here nor a repository"):
        DECODING.load("hf:not/there", device="cpu", precision="fp32")
    with pytest.raises(BadCheckpoint, match="expected hf:<repo or folder>"):
        DECODING.load("hf:", device="cpu", precision="fp32")
    with pytest.raises(UnknownId, match="did you mean docs-lm"):
        DECODING.load("doc-lm", device="cpu", precision="fp32")


def test_a_precision_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="precision is one of fp32, bf16; got 'fp8'"):
        DECODING.load(f"hf:{write_language(tmp_path)}", device="cpu", precision="fp8")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("truncated", "the checkpoint cannot be loaded"),
        ("no-config", "config.json cannot be read"),
        ("bad-config", "config.json cannot be read"),
        ("no-tokenizer", "its tokenizer cannot be loaded"),
        ("pickle-only", "found no safetensors"),
        ("empty", "found no safetensors"),
    ],
)
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: str, says: str) -> None:
    folder = write_language(tmp_path)
    weights = folder / "model.safetensors"
    match damage:
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "no-config":
            (folder / "config.json").unlink()
        case "bad-config":
            (folder / "config.json").write_text("{")
        case "no-tokenizer":
            for path in folder.glob("*token*"):
                path.unlink()
        case "pickle-only":
            torch.save({"weight": torch.zeros(1)}, folder / "pytorch_model.bin")
            weights.unlink()
        case "empty":
            for path in folder.iterdir():
                path.unlink()
    refused(folder, says)


def test_missing_weights_are_counted_and_named(tmp_path: Path) -> None:
    folder = write_language(tmp_path)
    edit_config(folder, num_hidden_layers=3)
    refused(folder, r"9 weights are missing.*'model\.layers\.2.*is it a causal language model\?")


def test_a_model_without_a_head_is_refused(tmp_path: Path) -> None:
    BertModel(
        BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    refused(tmp_path, "weights are missing|cannot be loaded")


def test_a_decoder_of_another_build_is_refused(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=512)).save_pretrained(
        tmp_path
    )
    make_tokenizer().save_pretrained(tmp_path)
    refused(tmp_path, "expected a decoder with a list of layers as in Llama; got GPT2Model")


def test_an_encoder_and_decoder_is_refused(tmp_path: Path) -> None:
    folder = write_language(tmp_path)
    T5Config(d_model=16, num_layers=1).save_pretrained(folder)
    refused(folder, "expected a causal language model; it has an encoder")


def test_code_of_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    """Neither for an architecture of its own nor for one that transformers knows."""
    folder = write_language(tmp_path / "model")
    marker = tmp_path / "ran"
    for name in ("configuration_own.py", "modeling_own.py", "tokenization_own.py"):
        (folder / name).write_text(f"open({str(marker)!r}, 'w')\nclass Own: ...\n")
    own = {
        "AutoConfig": "configuration_own.Own",
        "AutoModelForCausalLM": "modeling_own.Own",
        "AutoTokenizer": ["tokenization_own.Own", None],
    }
    edit_config(folder, auto_map=own)
    assert len(load(folder).layers) == 2
    edit_config(folder, model_type="own", architectures=["Own"])
    refused(folder, "config.json cannot be read")
    assert not marker.exists()


def test_a_tokenizer_without_an_end_is_refused_before_any_run(tmp_path: Path) -> None:
    folder = write_language(tmp_path)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (path := folder / name).exists():
            fields = json.loads(path.read_text())
            for key in ("eos_token", "bos_token", "pad_token"):
                fields.pop(key, None)
            path.write_text(json.dumps(fields))
    with pytest.raises(BadCheckpoint, match="no token that ends a text"):
        DECODING.check(DECODING.skeleton(f"hf:{folder}"), DECODING.open("sums"))


def test_prompts_longer_than_the_model_are_refused_before_any_run(tmp_path: Path) -> None:
    """The longest counts, wherever it stands."""
    skeleton = DECODING.skeleton(f"hf:{write_language(tmp_path / 'model', positions=64)}")
    with pytest.raises(BadData, match=r"a prompt of \d+ tokens and 8 more do not fit .* 64"):
        DECODING.check(skeleton, DECODING.open("recall"))
    docs = [{"text": "a b c " * times, "next": " d"} for times in (1, 40, 1)]
    config = {"output_type": "loglikelihood", "doc_to_text": "text", "doc_to_target": "next"}
    data = DECODING.open(f"lm_eval:{write_task(tmp_path, 'texts', docs, **config)}")
    with pytest.raises(BadData, match="do not fit the model's 64 positions"):
        DECODING.check(skeleton, data)
    DECODING.check(DECODING.skeleton(f"hf:{write_language(tmp_path / 'longer')}"), data)
