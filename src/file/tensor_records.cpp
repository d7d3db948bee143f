#include "file/tensor_records.h"

#include <map>
#include <optional>
#include <vector>

#include "fusekit/error.h"

namespace fusekit::file {
namespace {

namespace fs = std::filesystem;

/// A value on the pickle machine's stack, as far as tensors need it.
struct Item {
  enum class Kind { other, number, text, global, tuple, storage };
  Kind kind = Kind::other;
  std::int64_t number = 0;                         ///< of a storage: its elements
  std::string text;                                ///< of a storage: its record's key
  std::vector<std::shared_ptr<const Item>> items;  ///< of a tuple
};
using ItemPointer = std::shared_ptr<const Item>;

/// Bytes of an element, by the name of Python's storage class; 0 for one that this does not know.
std::uint64_t element_size(const std::string& global) {
  static const std::map<std::string, std::uint64_t> sizes{
      {"Float", 4}, {"Double", 8}, {"Half", 2},   {"BFloat16", 2},     {"Long", 8},
      {"Int", 4},   {"Short", 2},  {"Char", 1},   {"Byte", 1},         {"Bool", 1},
      {"QInt8", 1}, {"QUInt8", 1}, {"QInt32", 4}, {"ComplexFloat", 8}, {"ComplexDouble", 16}};
  const std::string prefix = "torch ";
  const std::string suffix = "Storage";
  if (!global.starts_with(prefix) || !global.ends_with(suffix)) return 0;
  const auto found = sizes.find(global.substr(prefix.size(), global.size() - prefix.size() - suffix.size()));
  return found == sizes.end() ? 0 : found->second;
}

/// Runs the opcodes that LibTorch's and Python's picklers write (Python's pickletools.py describes them).
class Scan {
 public:
  Scan(const Archive& archive, const std::string& folder, const fs::path& path, std::string bytes)
      : folder_(folder), path_(path), bytes_(std::move(bytes)) {
    const std::string prefix = archive.top() + folder;
    for (const Archive::Record& record : archive.records())
      if (record.name.starts_with(prefix)) sizes_[record.name.substr(prefix.size())] = record.size;
  }

  /// Ends at STOP, at the end of the bytes, or at anything that is not understood.
  void run() {
    while (at_ < bytes_.size() && step(bytes_[at_++])) {
    }
  }

 private:
  bool step(char opcode) {
    switch (static_cast<unsigned char>(opcode)) {
      case 0x80:
        return skip(1);
      case 'c':
        return push_global();
      case 'X':
      case 'T':
      case 'B':
        return push_text(4);
      case 0x8c:
      case 'U':
      case 'C':
        return push_text(1);
      case 'J':
        return push_number(4, /*is_signed=*/true);
      case 'M':
        return push_number(2, /*is_signed=*/false);
      case 'K':
        return push_number(1, /*is_signed=*/false);
      case 0x8a:
        return push_long();
      case 'G':
        return skip(8) && push({});
      case 'N':
      case 0x88:
      case 0x89:
      case '}':
      case ']':
        return push({});
      case ')':
        return push({.kind = Item::Kind::tuple, .text = {}, .items = {}});
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case 't':
        return push_tuple(marked());
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple(static_cast<unsigned char>(opcode) - 0x84);
      case 'l':
      case 'd':
        return drop(marked()) && push({});
      case 'e':
      case 'u':
        return drop(marked());
      case 'a':
      case 'b':
      case '0':
        return drop(1);
      case 's':
        return drop(2);
      case 'q':
        return put(1);
      case 'r':
        return put(4);
      case 'h':
        return get(1);
      case 'j':
        return get(4);
      case '2':
        return !stack_.empty() && push(*stack_.back());
      case 'R':
        return reduce();
      case 0x81:
        return drop(2) && push({});
      case 'Q':
        return load_storage();
      default:
        return false;
    }
  }

  bool push(Item item) {
    stack_.push_back(std::make_shared<const Item>(std::move(item)));
    return true;
  }

  bool drop(std::optional<std::size_t> count) {
    if (!count || *count > stack_.size()) return false;
    stack_.resize(stack_.size() - *count);
    return true;
  }

  bool skip(std::size_t count) {
    if (count > bytes_.size() - at_) return false;
    at_ += count;
    return true;
  }

  /// How many values stand above the last mark, which is taken off.
  std::optional<std::size_t> marked() {
    if (marks_.empty() || marks_.back() > stack_.size()) return std::nullopt;
    const std::size_t count = stack_.size() - marks_.back();
    marks_.pop_back();
    return count;
  }

  std::optional<std::uint64_t> little_endian(std::size_t count) {
    if (count > 8 || count > bytes_.size() - at_) return std::nullopt;
    std::uint64_t number = 0;
    for (std::size_t k = count; k-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes_[at_ + k]);
    at_ += count;
    return number;
  }

  bool push_number(std::size_t count, bool is_signed) {
    const auto number = little_endian(count);
    if (!number) return false;
    const auto value = is_signed ? static_cast<std::int32_t>(*number) : static_cast<std::int64_t>(*number);
    return push({.kind = Item::Kind::number, .number = value, .text = {}, .items = {}});
  }

  bool push_long() {
    const auto count = little_endian(1);
    if (!count || *count > 8) return false;
    const std::uint64_t bits = 8 * *count;
    auto number = little_endian(*count);
    if (!number) return false;
    if (bits > 0 && bits < 64 && (*number >> (bits - 1) & 1) != 0) *number |= ~std::uint64_t{0} << bits;
    return push({.kind = Item::Kind::number, .number = static_cast<std::int64_t>(*number), .text = {}, .items = {}});
  }

  bool push_text(std::size_t length_bytes) {
    const auto length = little_endian(length_bytes);
    if (!length || *length > bytes_.size() - at_) return false;
    std::string text = bytes_.substr(at_, *length);
    at_ += *length;
    return push({.kind = Item::Kind::text, .text = std::move(text), .items = {}});
  }

  bool push_global() {
    std::string global;
    for (int line = 0; line < 2; ++line) {
      const auto end = bytes_.find('\n', at_);
      if (end == std::string::npos) return false;
      global += (line == 0 ? "" : " ") + bytes_.substr(at_, end - at_);
      at_ = end + 1;
    }
    return push({.kind = Item::Kind::global, .text = std::move(global), .items = {}});
  }

  bool push_tuple(std::optional<std::size_t> count) {
    if (!count || *count > stack_.size()) return false;
    Item tuple{.kind = Item::Kind::tuple, .text = {}, .items = {}};
    tuple.items.assign(stack_.end() - static_cast<std::ptrdiff_t>(*count), stack_.end());
    return drop(count) && push(std::move(tuple));
  }

  bool put(std::size_t index_bytes) {
    const auto index = little_endian(index_bytes);
    if (!index || stack_.empty()) return false;
    memo_[*index] = stack_.back();
    return true;
  }

  bool get(std::size_t index_bytes) {
    const auto index = little_endian(index_bytes);
    const auto found = index ? memo_.find(*index) : memo_.end();
    if (found == memo_.end()) return false;
    stack_.push_back(found->second);
    return true;
  }

  /// ("storage", class, key, device, elements) becomes a storage.
  bool load_storage() {
    if (stack_.empty()) return false;
    const ItemPointer id = stack_.back();
    stack_.pop_back();
    if (id->kind != Item::Kind::tuple || id->items.size() < 5) return push({});
    const std::string& key = id->items[2]->text;
    const std::int64_t elements = id->items[4]->number;
    const std::uint64_t size = element_size(id->items[1]->text);
    const auto record = sizes_.find(key);
    if (elements < 0) throw wrong(key, "is said to have fewer than no elements");
    if (size > 0 && record != sizes_.end() && record->second / size < static_cast<std::uint64_t>(elements))
      throw wrong(
          key, fmt::format("has {} bytes, its tensor needs {} elements of {} bytes", record->second, elements, size));
    return push({.kind = Item::Kind::storage, .number = elements, .text = key, .items = {}});
  }

  /// A call: (function, arguments) becomes its result. Those that make a tensor are given a storage, the offset in it, the
  /// sizes and the strides.
  bool reduce() {
    if (stack_.size() < 2) return false;
    const ItemPointer arguments = stack_.back();
    const ItemPointer function = stack_[stack_.size() - 2];
    if (function->text.starts_with("torch._utils _rebuild_") && arguments->items.size() >= 4 &&
        arguments->items[0]->kind == Item::Kind::storage)
      check_extent(*arguments);
    return drop(2) && push({});
  }

  void check_extent(const Item& arguments) const {
    const Item& storage = *arguments.items[0];
    const std::vector<ItemPointer>& sizes = arguments.items[2]->items;
    const std::vector<ItemPointer>& strides = arguments.items[3]->items;
    std::int64_t last = arguments.items[1]->number;  // the index of the last element
    bool fits = last >= 0 && sizes.size() == strides.size();
    bool is_empty = false;
    for (std::size_t k = 0; k < sizes.size() && fits; ++k) {
      std::int64_t step = 0;
      fits = sizes[k]->number >= 0 && strides[k]->number >= 0;
      is_empty = is_empty || sizes[k]->number == 0;
      fits = fits && !__builtin_mul_overflow(sizes[k]->number - 1, strides[k]->number, &step) &&
             !__builtin_add_overflow(last, step, &last);
    }
    if (!fits || (!is_empty && last >= storage.number))
      throw wrong(storage.text, fmt::format("has {} elements, and a tensor reaches beyond them", storage.number));
  }

  [[nodiscard]] Error wrong(const std::string& key, const std::string& what) const {
    return {ErrorKind::file, fmt::format("{}: the record {}{} {}", path_.string(), folder_, key, what),
            "the file is damaged or made to mislead: write it again"};
  }

  const std::string& folder_;
  const fs::path& path_;
  std::string bytes_;
  std::map<std::string, std::uint64_t> sizes_;  ///< of the records below the folder
  std::size_t at_ = 0;
  std::vector<ItemPointer> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, ItemPointer> memo_;
};

}  // namespace

void check_tensor_records(const Archive& archive, const std::string& pickle, const std::string& folder,
                          const fs::path& path) {
  if (archive.has(pickle)) Scan(archive, folder, path, archive.read(pickle)).run();
}

}  // namespace fusekit::file
