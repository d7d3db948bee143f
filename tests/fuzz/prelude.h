// What the precompiled header gives the sources of src/file, without LibTorch's library.
#pragma once

#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
