"""A device that really works, or the CPU and the reason: with a GPU that is only pretended."""

from __future__ import annotations

import pytest
import torch

from tabnet_auto.errors import InputError
from tabnet_auto.train.device import choose_device


@pytest.fixture
def pretend(monkeypatch):
    """Pretend that a CUDA device of some capability is there."""

    def make(capability, built=("sm_70", "sm_75", "sm_80", "sm_90a")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _=0: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _=0: "Tesla P100")
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: list(built))

    return make


@pytest.mark.parametrize("capability", [(7, 0), (7, 5), (8, 6), (9, 0)])
def test_a_device_with_kernels_is_used(pretend, capability):
    pretend(capability)
    assert choose_device("auto") == (torch.device("cuda"), None)
    assert choose_device("cuda:1") == (torch.device("cuda:1"), None)


@pytest.mark.parametrize("capability", [(6, 0), (10, 0)])
def test_a_device_without_kernels_falls_back_with_one_sentence(pretend, capability):
    pretend(capability)
    device, problem = choose_device("auto")
    assert device == torch.device("cpu")
    assert problem == ("The Tesla P100 has no kernels in this build of torch, so the CPU is used.")
    with pytest.raises(InputError, match=r"Tesla P100 has no kernels.*device='cuda'"):
        choose_device("cuda")


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == (torch.device("cpu"), None)
    with pytest.raises(InputError, match="No CUDA device is available, however: device='cuda'"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "meta", "mps", None, ""])
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match="device must be 'auto', 'cpu', 'cuda' or 'cuda:N'"):
        choose_device(name)
