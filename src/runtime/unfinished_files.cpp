#include "runtime/unfinished_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <mutex>
#include <regex>
#include <string>

#include "fusekit/runtime.h"

namespace fusekit::runtime {
namespace {

namespace fs = std::filesystem;

constexpr auto kYoung = std::chrono::minutes(1);

/// Of fixed size, so that it can be in shared memory. What does not fit is not remembered.
struct Table {
  static constexpr std::size_t kNames = 16;
  std::array<std::array<char, 4096>, kNames> names;  ///< empty: free
};

std::mutex table_mutex;
Table own_table;
Table* table = &own_table;

/// A process that was taken over could write any name into shared memory.
bool is_hidden_name(const fs::path& path) {
  static const std::regex hidden(R"(\.fusekit-([0-9a-f]{8}|tune-[A-Za-z0-9]{6}))");
  return std::regex_match(path.filename().string(), hidden);
}

void remove_hidden(const fs::path& path) {
  std::error_code ignored;
  if (is_hidden_name(path)) fs::remove_all(path, ignored);  // follows no link
}

/// Locks what nobody else uses; the descriptor, or -1.
int lock(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  close(descriptor);
  return -1;
}

}  // namespace

void remember_unfinished(const fs::path& path) {
  std::error_code error;
  const std::string name = fs::absolute(path, error).string();
  const std::lock_guard guard(table_mutex);
  for (auto& slot : table->names) {
    if (slot.front() != '\0' || name.size() >= slot.size()) continue;
    std::memcpy(slot.data() + 1, name.data() + 1, name.size());  // with its end
    slot.front() = name.front();
    return;
  }
}

void forget_unfinished(const fs::path& path) {
  std::error_code error;
  const std::string name = fs::absolute(path, error).string();
  const std::lock_guard guard(table_mutex);
  for (auto& slot : table->names)
    if (name == slot.data()) slot.front() = '\0';
}

void remove_unfinished() {
  const std::lock_guard guard(table_mutex);
  for (auto& slot : table->names) {
    slot.back() = '\0';
    if (slot.front() != '\0') remove_hidden(slot.data());
    slot.front() = '\0';
  }
}

void share_unfinished_with_children() {
  void* memory = mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const std::lock_guard guard(table_mutex);
  if (memory != MAP_FAILED) table = static_cast<Table*>(memory);  // to the end of the process
}

void remove_abandoned(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (!is_hidden_name(entry.path())) continue;
    const fs::file_type type = entry.symlink_status(ignored).type();
    if (type != fs::file_type::regular && type != fs::file_type::directory) continue;
    const auto written = entry.last_write_time(ignored);
    if (ignored || fs::file_time_type::clock::now() - written < kYoung) continue;
    const int descriptor = lock(entry.path());
    if (descriptor < 0) continue;
    remove_hidden(entry.path());
    close(descriptor);
  }
}

}  // namespace fusekit::runtime

namespace fusekit {

void share_unfinished_files() { runtime::share_unfinished_with_children(); }
void remove_unfinished_files() { runtime::remove_unfinished(); }

}  // namespace fusekit
