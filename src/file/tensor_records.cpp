#include "file/tensor_records.h"

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "file/code_depth.h"
#include "fusekit/error.h"

namespace fusekit::file {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostItems = 50'000'000;        // on the stack: what a file of 64 MB could push would take 1 GB
constexpr std::string_view kLinesEnd = ".debug_pkl";  // records of the source lines that code was made of
constexpr int kDeepest = 1000;  // containers in containers: deeper ones overflow the stack of whoever frees them

/// A value on the pickle machine's stack, as far as tensors need it.
struct Item {
  enum class Kind { other, number, text, global, tuple, storage };
  Kind kind = Kind::other;
  mutable int depth = 0;                           ///< of a container: containers in it, one in the other
  mutable std::int64_t least = 0;                  ///< of the numbers in a list
  mutable std::int64_t greatest = 0;               ///< of the same
  std::int64_t number = 0;                         ///< of a storage: its elements
  std::string text;                                ///< of a storage: its record's key
  std::vector<std::shared_ptr<const Item>> items;  ///< of a tuple
};
using ItemPointer = std::shared_ptr<const Item>;

/// Bytes of an element, by the name of Python's storage class; nothing for one that LibTorch does not know.
std::optional<std::uint64_t> element_size(const std::string& global) {
  static const std::map<std::string, std::uint64_t> sizes = [] {
    std::map<std::string, std::uint64_t> all;
    for (int k = 0; k < static_cast<int>(c10::ScalarType::NumOptions); ++k) {
      const auto type = static_cast<c10::ScalarType>(k);
      if (type != c10::ScalarType::Undefined)
        all[fmt::format("torch {}Storage", c10::toString(type))] = c10::elementSize(type);
    }
    return all;
  }();
  const auto found = sizes.find(global);
  return found == sizes.end() ? std::nullopt : std::optional(found->second);
}

/// Runs the opcodes that LibTorch's and Python's picklers write (Python's pickletools.py describes them).
class Scan {
 public:
  Scan(const Archive& archive, const std::string& pickle, const std::string& folder, const fs::path& path)
      : archive_(archive), pickle_(pickle), folder_(folder), path_(path), bytes_(archive.read(pickle)) {}

  /// Everything up to STOP has to be understood: what is not, LibTorch would take for something else.
  void run() {
    while (at_ < bytes_.size()) {
      const char opcode = bytes_[at_++];
      if (opcode == '.') return check_end();
      const std::size_t place = at_ - 1;
      if (!step(opcode) || stack_.size() > kMostItems)
        throw malformed(
            fmt::format("can't be followed at byte {} (opcode 0x{:02x})", place, static_cast<unsigned char>(opcode)));
    }
    throw malformed("has no end");
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
        return skip(8) && push_other();
      case 'N':
      case 0x88:
      case 0x89:
        return push_other();
      case '}':
      case ']':
        return push_container();
      case ')':
        return push({.kind = Item::Kind::tuple, .depth = 1, .text = {}, .items = {}});
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
        return drop_into_new(marked());
      case 'e':
      case 'u':
        return drop_into_last(marked());
      case 'a':
      case 'b':
        return drop_into_last(1);
      case '0':
        return drop(1);
      case 's':
        return drop_into_last(2);
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
        return drop(2) && push_container();
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

  /// Pushes a value that no tensor needs: one and the same for all.
  bool push_other() {
    static const auto other = std::make_shared<const Item>();
    stack_.push_back(other);
    return true;
  }

  /// A list, a dict or an object, which is filled later.
  bool push_container() { return push({.kind = Item::Kind::other, .depth = 1, .text = {}, .items = {}}); }

  /// How deep a container is that holds the last `count` values.
  [[nodiscard]] int depth_around(std::size_t count) const {
    int depth = 1;
    for (std::size_t k = stack_.size() - count; k < stack_.size(); ++k) depth = std::max(depth, stack_[k]->depth + 1);
    return depth;
  }

  bool drop_into_new(std::optional<std::size_t> count) {
    if (!count || *count > stack_.size()) return false;
    const int depth = depth_around(*count);
    return depth <= kDeepest && drop(count) &&
           push({.kind = Item::Kind::other, .depth = depth, .text = {}, .items = {}});
  }

  /// Into the container below them.
  bool drop_into_last(std::optional<std::size_t> count) {
    if (!count || *count >= stack_.size()) return false;
    const int depth = depth_around(*count);
    note_numbers(*count);
    drop(count);
    if (depth <= stack_.back()->depth) return true;
    if (stack_.back()->depth > 0) stack_.back()->depth = depth;  // the one that all without depth share stays
    return depth <= kDeepest;
  }

  /// In the container below the last `count` values: the least and the greatest of them.
  void note_numbers(std::size_t count) const {
    const Item& container = *stack_[stack_.size() - count - 1];
    if (container.depth == 0) return;
    for (std::size_t k = stack_.size() - count; k < stack_.size(); ++k) {
      if (stack_[k]->kind != Item::Kind::number) continue;
      container.least = std::min(container.least, stack_[k]->number);
      container.greatest = std::max(container.greatest, stack_[k]->number);
    }
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
    Item tuple{.kind = Item::Kind::tuple, .depth = depth_around(*count), .text = {}, .items = {}};
    tuple.items.assign(stack_.end() - static_cast<std::ptrdiff_t>(*count), stack_.end());
    return tuple.depth <= kDeepest && drop(count) && push(std::move(tuple));
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
    if (id->kind != Item::Kind::tuple || id->items.size() < 5) return false;
    const std::string& key = id->items[2]->text;
    const std::int64_t elements = id->items[4]->number;
    const auto size = element_size(id->items[1]->text);
    const Archive::Record* record = archive_.find(folder_ + key);  // one that is missing is LibTorch's to refuse
    if (!size) throw wrong(key, "has elements of a type that this LibTorch does not know: " + id->items[1]->text);
    if (elements < 0) throw wrong(key, "is said to have fewer than no elements");
    if (record != nullptr && record->size / *size < static_cast<std::uint64_t>(elements))
      throw wrong(key,
                  fmt::format("has {} bytes, its tensor needs {} elements of {} bytes", record->size, elements, *size));
    return push({.kind = Item::Kind::storage, .number = elements, .text = key, .items = {}});
  }

  /// A call: (function, arguments) becomes its result. Those that make a tensor are given a storage, the offset in it, the
  /// sizes and the strides.
  bool reduce() {
    if (stack_.size() < 2) return false;
    const ItemPointer arguments = stack_.back();
    const ItemPointer function = stack_[stack_.size() - 2];
    if (function->text == "torch.jit._pickle restore_type_tag" && arguments->items.size() >= 2 &&
        code_depth(arguments->items[1]->text) > kDeepest)
      throw malformed("has a type that is nested too deep");
    if (function->text.starts_with("torch._utils _rebuild_") && arguments->items.size() >= 4 &&
        arguments->items[0]->kind == Item::Kind::storage)
      check_extent(*arguments);
    if (function->text == "torch.jit._pickle build_intlist" && arguments->items.size() == 1) {
      const ItemPointer list = arguments->items[0];
      drop(2);
      stack_.push_back(list);
      return true;
    }
    return drop(2) && push_other();
  }

  void check_end() const {
    if (!pickle_.ends_with(kLinesEnd) || stack_.empty()) return;
    const std::vector<ItemPointer>& top = stack_.back()->items;
    const bool has_table = !top.empty() && top[0]->text == "FORMAT_WITH_STRING_TABLE";
    if (has_table && top.size() < 3) throw malformed("has no lines");
    for (const ItemPointer& line : has_table ? top[2]->items : top)
      check_line(*line, has_table ? top[1]->items.size() : 0);
  }

  /// (offset, ((pieces of text, file, first line), begin, end), ...), where a piece of text and a file's name are given by
  /// their numbers in a table of `count` texts, or as they are where there is none. LibTorch checks none of this.
  void check_line(const Item& line, std::size_t count) const {
    if (line.items.size() < 2) throw malformed("has a line of no possible form");
    const std::vector<ItemPointer>& range = line.items[1]->items;
    if (range.empty() || count == 0 || range[0]->items.size() < 2) return;  // LibTorch refuses what is wrong then
    const Item& pieces = *range[0]->items[0];
    const std::int64_t file = range[0]->items[1]->number;
    const auto end = static_cast<std::int64_t>(count);
    if (pieces.least < 0 || pieces.greatest >= end || file < 0 || file >= end)
      throw malformed("has a line whose text is not there");
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

  [[nodiscard]] Error malformed(const std::string& what) const {
    return {ErrorKind::file, fmt::format("{}: the record {} {}", path_.string(), pickle_, what),
            "the file is damaged or made to mislead: write it again"};
  }

  [[nodiscard]] Error wrong(const std::string& key, const std::string& what) const {
    return {ErrorKind::file, fmt::format("{}: the record {}{} {}", path_.string(), folder_, key, what),
            "the file is damaged or made to mislead: write it again"};
  }

  const Archive& archive_;
  const std::string& pickle_;
  const std::string& folder_;
  const fs::path& path_;
  std::string bytes_;
  std::size_t at_ = 0;
  std::vector<ItemPointer> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, ItemPointer> memo_;
};

}  // namespace

void check_tensor_records(const Archive& archive, const std::string& pickle, const std::string& folder,
                          const fs::path& path) {
  if (archive.has(pickle)) Scan(archive, pickle, folder, path).run();
}

}  // namespace fusekit::file
