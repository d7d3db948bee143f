// Any bytes as the pickle of an archive that is otherwise right, with a record of 16 bytes for its tensors.
#include <zlib.h>

#include <array>
#include <utility>

#include "file/archive.h"
#include "file/tensor_records.h"
#include "fusekit/error.h"
#include "fuzz/input_file.h"

namespace {

/// `count` bytes, least significant first.
std::string bytes_of(std::size_t number, int count) {
  std::string bytes;
  for (int k = 0; k < count; ++k) bytes += static_cast<char>(number >> (8 * k) & 0xff);
  return bytes;
}

/// The part of a record's header that the directory repeats.
std::string facts_of(const std::string& name, const std::string& data) {
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size()));
  return bytes_of(20, 2) + bytes_of(0, 4) + bytes_of(0x00210000, 4) + bytes_of(crc, 4) + bytes_of(data.size(), 4) +
         bytes_of(data.size(), 4) + bytes_of(name.size(), 2) + bytes_of(0, 2);
}

std::string archive_of(const std::string& pickle) {
  const std::array<std::pair<std::string, std::string>, 2> records{
      {{"a/data.pkl", pickle}, {"a/data/0", std::string(16, '\0')}}};
  std::string archive;
  std::string directory;
  for (const auto& [name, data] : records) {
    directory +=
        "PK\x01\x02" + bytes_of(20, 2) + facts_of(name, data) + std::string(10, 0) + bytes_of(archive.size(), 4) + name;
    archive += "PK\x03\x04" + facts_of(name, data) + name + data;
  }
  return archive + directory + "PK\x05\x06" + bytes_of(0, 4) + bytes_of(records.size(), 2) +
         bytes_of(records.size(), 2) + bytes_of(directory.size(), 4) + bytes_of(archive.size(), 4) + bytes_of(0, 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fusekit::fuzz::input_file(archive_of({reinterpret_cast<const char*>(data), size}));
  const fusekit::file::Archive archive(path);
  archive.check_bytes();
  try {
    fusekit::file::check_tensor_records(archive, "data.pkl", "data/", path);
  } catch (const fusekit::Error&) {
  }
  return 0;
}
