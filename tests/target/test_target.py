"""Targets: parsing, limits, features, export."""

from __future__ import annotations

import pickle

import pytest

from gpucomp.runtime.device import cpu
from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.target import cuda as cuda_target


@pytest.mark.parametrize(
    "text", ["cuda -arch=sm_80", "cuda:sm_80", '{"kind": "cuda", "arch": "sm_80"}', "nvidia/nvidia-a100"]
)
def test_one_target_has_many_spellings(text: str) -> None:
    target = Target(text)
    assert target == Target({"kind": "cuda", "arch": "sm_80"})
    assert target.max_num_threads == 1024
    assert target.thread_warp_size == 32
    assert target.max_shared_memory_per_block == 49152
    assert target.limits["max_dynamic_shared_memory_per_block"] == 166912
    assert {"shuffle", "cp_async"} <= target.features
    assert "wgmma" not in target.features


def test_a_limit_can_be_lowered_and_survives_export_and_pickling() -> None:
    target = Target("opencl -max_num_threads=64")
    assert target.max_num_threads == 64
    assert Target(target.export()) == target
    assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301  # our own bytes
    assert str(target) == "opencl -max_num_threads=64"


def test_features_can_be_added_and_taken_away() -> None:
    target = Target("opencl").with_options(features=["fp16"])
    assert "fp16" in target.features
    assert "shuffle" not in Target("cuda").with_options(without=["shuffle"]).features
    assert Target(Target("cuda").with_options(without=["shuffle"])).features == Target("cuda").features - {"shuffle"}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cudda", "did you mean 'cuda'"),
        ("cuda -max_num_thread=3", "max_num_threads"),
        ("cuda sm_80", "-arch"),
        ("cuda -arhc=sm_80", "did you mean 'arch'"),
    ],
)
def test_a_bad_target_says_what_was_meant(text: str, hint: str) -> None:
    with pytest.raises(LowerError, match=hint):
        Target(text)


def test_the_current_target_is_the_innermost_with() -> None:
    assert Target.current() is None
    with Target("cuda"), Target("opencl") as inner:
        assert Target.current() is inner
    with pytest.raises(LowerError, match="no current target"):
        Target.current(allow_none=False)


def test_a_device_gives_its_target_and_keys_order_schedules() -> None:
    assert Target.from_device(cpu(0)).kind == "llvm"
    assert cuda_target(arch="sm_90a").keys == ("cuda", "gpu")
    assert "wgmma" in cuda_target(arch="sm_90a").features
    assert Target("opencl").with_options(features=["cpu"]).keys == ("opencl-cpu",)
