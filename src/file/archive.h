#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct zip;

namespace fusekit::file {

/// A record's name as LibTorch compares it: A to Z are a to z.
std::string in_lower_case(std::string name);

/// A zip file, read through libzip. Everything that is wrong with it is an Error{file} that names it: names that lead out
/// of it or stand there twice, records that are larger than they can be, what packs better than any network.
class Archive {
 public:
  struct Record {
    std::string name;
    std::uint64_t size = 0;        ///< bytes
    std::uint64_t compressed = 0;  ///< bytes
    std::uint32_t crc = 0;         ///< 0 in all records: the writer did not compute any
  };

  explicit Archive(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  /// The folder that all records are in, with its slash: "archive/". Empty where there is no such folder.
  [[nodiscard]] const std::string& top() const { return top_; }
  /// Whether there is such a record, or one below it where `name` ends with a slash; `name` is below the top folder.
  [[nodiscard]] bool has(const std::string& name) const;
  /// The record that LibTorch takes for this name, in which it does not tell A to Z from a to z; null where there is none.
  [[nodiscard]] const Record* find(const std::string& name) const;
  /// The record's bytes; `name` is below the top folder. libzip checks its CRC-32.
  [[nodiscard]] std::string read(const std::string& name) const;

  /// Reads every record, so that damage is found by its CRC-32, with the record's name. An archive that was written
  /// without any is not read.
  void check_bytes() const;

 private:
  void check_names() const;
  void check_sizes() const;

  std::filesystem::path path_;
  std::unique_ptr<zip, void (*)(zip*)> zip_;
  std::vector<Record> records_;
  std::string top_;
  std::unordered_map<std::string, std::size_t> places_;  ///< of the records, by name; below, in lower case
  std::unordered_map<std::string, std::size_t> places_in_lower_case_;
  bool has_no_crc_ = false;
};

}  // namespace fusekit::file
