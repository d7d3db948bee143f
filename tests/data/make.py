"""Writes this folder's files as Python's users would: run once, with PyTorch 2.13 and NumPy."""

import numpy as np
import torch

ramp = torch.arange(6.0).reshape(2, 3)

torch.save(ramp, "tensor.pt")
torch.save((ramp, 3, 0.5, True, None, "mean", [ramp, ramp + 1]), "tuple.pt")
torch.save([(ramp, 1), (ramp + 1, 2)], "samples.pt")
torch.save([ramp, ramp + 1, ramp + 2], "tensors.pt")
torch.save({"y": ramp + 1, "x": ramp}, "dict.pt")
torch.save(torch.nn.Parameter(ramp.t()), "parameter.pt")
torch.save(ramp, "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(3, 2).state_dict(), "state_dict.pt")
torch.save(torch.nn.Linear(3, 2), "pickled_module.pt")
torch.export.save(torch.export.export(torch.nn.ReLU(), (ramp,)), "exported.pt2")

for name in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"]:
    np.save(name + ".npy", np.arange(6).reshape(2, 3).astype(name))
np.save("fortran.npy", np.asfortranarray(np.arange(24, dtype="f4").reshape(2, 3, 4)))
np.save("scalar.npy", np.float32(7))
np.save("big_endian.npy", np.arange(3, dtype=">f4"))
np.save("records.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.savez("numbered.npz", np.float32([1, 2]), np.int64([3]))
np.savez_compressed("named.npz", y=np.float32([1]), x=np.float32([0]))
