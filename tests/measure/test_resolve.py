"""Which NVML device is ``cuda:N``, under every form of ``CUDA_VISIBLE_DEVICES``."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpus import KINDS, opened, scripted, told
from tokonomy.errors import BadDevice
from tokonomy.measure import resolve
from tokonomy.measure.resolve import Told
from tokonomy.measure.scripted import Fault, Profile, flat
from tokonomy.measure.scripted.faults import FAULTS
from tokonomy.measure.scripted.install import Kind
from tokonomy.measure.visible import Gpu, Slice, bus_key, visible

A = Gpu(uuid="GPU-aaaa0000-1111-2222-3333-444444444444", pci_bus_id="00000000:81:00.0", kind="x")
B = Gpu(uuid="GPU-aabb0000-1111-2222-3333-444444444444", pci_bus_id="00000000:02:00.0", kind="x")
C = Gpu(uuid="GPU-cccc0000-1111-2222-3333-444444444444", pci_bus_id="00000001:01:00.0", kind="x")
ALIKE = (A, B, C)
UNLIKE = (A, replace(B, kind="y"), C)
PARTS = (
    Slice(uuid="MIG-11110000-1111-2222-3333-444444444444", gpu_instance=7, compute_instance=0),
    Slice(uuid="MIG-22220000-1111-2222-3333-444444444444", gpu_instance=8, compute_instance=1),
)
CUT = replace(A, mig=True, slices=PARTS)
BUS = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def names(value: str | None, gpus: tuple[Gpu, ...] = ALIKE, **more: str) -> list[str]:
    environment = more if value is None else {"CUDA_VISIBLE_DEVICES": value, **more}
    return [target.uuid for target in visible(gpus, environment)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, (B, A, C)),  # by bus: 02, 81, and 01 of the next domain
        ("", ()),
        ("-1", ()),
        ("none", ()),
        ("0", (B,)),
        ("2,0", (C, B)),
        (" 1 , +0", (A, B)),
        ("1gpu,2", (A, C)),
        ("0,-1,1", (B,)),
        ("0,9,1", (B,)),
        ("0,99999999999999999999,1", (B,)),
        ("0,,1", (B,)),
        ("0,1,0", ()),
        (A.uuid, (A,)),
        (A.uuid.upper(), (A,)),
        ("GPU-aaaa,GPU-cc", (A, C)),
        ("GPU-aaaa,GPU-none,GPU-cc", (A,)),
        ("GPU-aaaa,GPU-aaaa0", ()),
        ("GPU-aaaa,0", (A,)),
        ("0,GPU-aaaa", (B,)),
        ("gpu-aaaa", ()),
        ("MIG-1111", ()),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(value: str | None, found: tuple[Gpu, ...]) -> None:
    assert names(value) == [gpu.uuid for gpu in found]
    assert names(value, **BUS) == [gpu.uuid for gpu in found]


@pytest.mark.parametrize("value", [None, "0", "1,0"])
def test_an_index_among_unlike_gpus_is_refused_unless_their_order_is_known(
    value: str | None,
) -> None:
    with pytest.raises(BadDevice, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        names(value, UNLIKE)
    with pytest.raises(BadDevice, match="rule of its own"):
        names(value, UNLIKE, CUDA_DEVICE_ORDER="FASTEST_FIRST")
    assert names(value, UNLIKE, **BUS) == names(value, ALIKE)
    assert names("GPU-aabb,GPU-cc", UNLIKE) == [B.uuid, C.uuid]


def test_a_prefix_of_two_is_refused() -> None:
    with pytest.raises(BadDevice, match="write more of it"):
        names("GPU-aa")


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (PARTS[1].uuid, 1),
        ("MIG-2222", 1),
        (f"MIG-{A.uuid}/7/0", 0),
        (f"MIG-{A.uuid}/8/1,{PARTS[0].uuid}", 1),
    ],
)
def test_a_slice_is_found_by_both_of_its_names_and_is_alone(value: str, part: int) -> None:
    assert names(value, (B, CUT)) == [PARTS[part].uuid]


@pytest.mark.parametrize("value", ["MIG-dead", f"MIG-{A.uuid}/9/0", f"MIG-{B.uuid}/7/0", "MIG-x/y"])
def test_a_slice_that_is_not_there_ends_the_list(value: str) -> None:
    assert names(value, (B, CUT)) == []


@pytest.mark.parametrize("value", [None, "0", A.uuid])
def test_a_gpu_that_is_cut_stands_for_no_slice_unless_it_has_but_one(value: str | None) -> None:
    with pytest.raises(BadDevice, match="2 slices"):
        names(value, (CUT,))
    assert names(value, (replace(CUT, slices=PARTS[:1]),)) == [PARTS[0].uuid]


def test_an_index_means_nothing_where_a_gpu_cannot_be_read() -> None:
    with pytest.raises(BadDevice, match="cannot be read"):
        resolve.resolve(0, ALIKE, {}, whole=False)
    environment = {"CUDA_VISIBLE_DEVICES": "GPU-cc"}
    assert resolve.resolve(0, ALIKE, environment, whole=False).uuid == C.uuid


def test_an_ordinal_beyond_the_list_is_refused() -> None:
    with pytest.raises(BadDevice, match="leaves 1 of 3"):
        resolve.resolve(1, ALIKE, {"CUDA_VISIBLE_DEVICES": "GPU-cc"})


known = [A.uuid, B.uuid, C.uuid, "GPU-aaaa", "GPU-aabb", "GPU-zz", "MIG-1", "", "x"]
entries = st.one_of(st.integers(-2, 5).map(str), st.sampled_from(known), st.text(max_size=3))


@given(st.lists(entries, max_size=5).map(",".join))
def test_whatever_the_variable_says_gives_different_devices_that_are_there(value: str) -> None:
    found = names(value)  # no prefix among these is of two, so that nothing is refused
    assert len(set(found)) == len(found)
    assert set(found) <= {gpu.uuid for gpu in ALIKE}


@given(st.permutations(ALIKE), st.sampled_from([None, "0", "1,2", "GPU-cc,GPU-aaaa"]))
def test_the_order_of_nvml_changes_nothing(gpus: list[Gpu], value: str | None) -> None:
    assert names(value, tuple(gpus)) == names(value)


@pytest.mark.parametrize("environment", [{}, {"CUDA_VISIBLE_DEVICES": "0"}, BUS])
@pytest.mark.parametrize(
    ("identity", "found"),
    [
        (Told(uuid="cccc0000-1111-2222-3333-444444444444"), C),
        (Told(uuid=A.uuid.upper(), pci_bus_id="0000:81:00.0"), A),
        (Told(pci_bus_id="1:1:0"), C),
        (Told(pci_bus_id="02:00.0"), B),
    ],
)
def test_what_torch_says_outranks_the_environment(
    identity: Told, found: Gpu, environment: dict[str, str]
) -> None:
    assert resolve.resolve(0, UNLIKE, environment, told=identity).gpu.uuid == found.uuid


@pytest.mark.parametrize(
    "identity",
    [
        Told(uuid="dddd0000-1111-2222-3333-444444444444"),
        Told(uuid=A.uuid, pci_bus_id=B.pci_bus_id),
        Told(pci_bus_id="00000000:99:00.0"),
    ],
)
def test_torch_and_nvml_that_disagree_are_refused(identity: Told) -> None:
    with pytest.raises(BadDevice, match="torch says that cuda:3"):
        resolve.resolve(3, ALIKE, {}, told=identity)


def test_where_torch_says_nothing_the_environment_decides() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "GPU-cc,GPU-aabb"}
    assert resolve.resolve(1, UNLIKE, environment, told=Told()).uuid == B.uuid


def test_torch_may_name_the_slice_or_only_its_gpu() -> None:
    named = resolve.resolve(0, (CUT, B), {}, told=Told(uuid=PARTS[1].uuid))
    assert named.slice == PARTS[1]
    only = Told(uuid=A.uuid, pci_bus_id=A.pci_bus_id)
    with pytest.raises(BadDevice, match="2 slices"):
        resolve.resolve(0, (CUT, B), {}, told=only)
    environment = {"CUDA_VISIBLE_DEVICES": PARTS[0].uuid}
    assert resolve.resolve(0, (CUT, B), environment, told=only).slice == PARTS[0]


@pytest.mark.parametrize("text", ["0000:81:00.0", "81:0", "00000000:81:00", "0:81:00.7"])
def test_a_bus_id_is_the_same_in_all_notations(text: str) -> None:
    assert bus_key(text) == (0, 0x81, 0)


@pytest.mark.parametrize("text", ["", "81", "x:y:z", "0000:81:00.0\n;rm", "1:2:3:4"])
def test_what_is_no_bus_id_is_refused(text: str) -> None:
    with pytest.raises(BadDevice, match="expected a bus id"):
        bus_key(text)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_gpus_in_swapped_order_the_right_one_is_opened(kind: Kind) -> None:
    profile = FAULTS["swapped-order"](0.0)
    for number in (0, 1):
        with opened(profile, kind, number=number) as bench:
            assert bench.gpu.facts()["gpu_uuid"] == profile.gpus[number].uuid
            assert bench.gpu.state()["gpu_power_w"] == (60.0, 300.0)[number]


@pytest.mark.parametrize("kind", KINDS)
def test_slices_are_listed_with_their_instances(kind: Kind) -> None:
    with scripted(FAULTS["mig-slice"](0.0), kind):
        (gpu,), unread = resolve.listed()
    assert not unread
    assert gpu.mig
    assert [part.gpu_instance for part in gpu.slices] == [7, 8]
    assert names(f"MIG-{gpu.uuid}/8/0", (gpu,)) == [gpu.slices[1].uuid]


@pytest.mark.parametrize("kind", KINDS)
def test_one_gpu_that_cannot_be_read_does_not_hide_the_other(kind: Kind) -> None:
    profile = FAULTS["swapped-order"](0.0)
    lost = replace(profile, gpus=(replace(profile.gpus[0], lost_s=0.0), profile.gpus[1]))
    refused = Fault(function="nvmlDeviceGetUUID", code=4, gpu=1)
    with scripted(lost, kind):
        found, unread = resolve.listed()
    assert [gpu.uuid for gpu in found] == [profile.gpus[1].uuid]
    assert [error.reason for error in unread.values()] == ["device-lost"]
    with scripted(replace(profile, faults=(refused,)), kind):
        found, unread = resolve.listed()
    assert [gpu.uuid for gpu in found] == [profile.gpus[0].uuid]
    assert {at: error.reason for at, error in unread.items()} == {1: "nvml-no-permission"}


def test_gpus_of_one_name_and_size_are_alike() -> None:
    twin = replace(Profile().gpus[0], uuid="GPU-x", pci="00000000:09:00.0", power=flat(1))
    with scripted(Profile(gpus=(Profile().gpus[0], twin)), "python"):
        (first, second), _ = resolve.listed()
    assert first.kind == second.kind
    assert told(twin).uuid == "x"
