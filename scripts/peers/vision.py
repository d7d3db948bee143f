"""torchvision, importable beside any torch.

PyPI's torchvision is compiled for PyPI's torch; beside a CPU build its compiled operators (nms and the like) can't be
loaded, and importing it fails because it describes them to torch. None is needed here: declaring them is enough.
"""
import torch

OPERATORS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
             "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
declared = torch.library.Library("torchvision", "FRAGMENT")


def ready():
    """Whether torchvision can be imported, after declaring its operators where it takes that."""
    try:
        import torchvision  # noqa: F401

        return True
    except ImportError:
        return False
    except RuntimeError:
        for operator in OPERATORS:
            declared.define(operator)
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    import torchvision  # noqa: F401

    return True
