#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct zip;

namespace fusekit::file {

/// A zip file, read through libzip. Everything that is wrong with it is an Error{file} that names it.
class Archive {
 public:
  struct Record {
    std::string name;
    std::uint64_t size = 0;        ///< bytes
    std::uint64_t compressed = 0;  ///< bytes
    std::uint32_t crc = 0;         ///< 0: its writer did not compute one
  };

  explicit Archive(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  /// The folder that all records are in, with its slash: "archive/". Empty where there is no such folder.
  [[nodiscard]] const std::string& top() const { return top_; }
  /// Whether there is such a record, or one below it where `name` ends with a slash; `name` is below the top folder.
  [[nodiscard]] bool has(const std::string& name) const;
  /// The record's bytes; `name` is below the top folder. libzip checks its CRC-32.
  [[nodiscard]] std::string read(const std::string& name) const;

  /// Reads every record whose CRC-32 is known, so that damage is found, with the record's name.
  void check_bytes() const;

 private:
  void check_sizes() const;

  std::filesystem::path path_;
  std::unique_ptr<zip, void (*)(zip*)> zip_;
  std::vector<Record> records_;
  std::string top_;
};

}  // namespace fusekit::file
