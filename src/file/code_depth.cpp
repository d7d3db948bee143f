#include "file/code_depth.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "fusekit/error.h"

namespace fusekit::file {
namespace {

constexpr int kDeepestCode = 1000;

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Reads tokens as LibTorch's lexer.h does; what that would refuse may be read in any way.
class DepthScan {
 public:
  explicit DepthScan(std::string_view code) : code_(code) {}

  int run() {
    while (at_ < code_.size()) {
      const char c = code_[at_];
      if (c == '\n') {
        end_line();
      } else if (code_.substr(at_).starts_with("\\\n")) {
        at_ += 2;
      } else if (is_space(c)) {
        ++at_;
      } else if (c == '#' && !code_.substr(at_).starts_with("# type:")) {
        at_ = std::min(code_.find('\n', at_), code_.size());
      } else {
        take_token();
      }
    }
    return deepest_;
  }

 private:
  /// Lines whose first token is in the same column, and `elif`s, which are blocks in one another.
  struct Block {
    std::size_t column = 0;
    int levels = 1;
  };

  void end_line() {
    ++at_;
    if (brackets_.size() > 1) return;  // the line goes on
    brackets_ = {0};
    tokens_ = 0;
    is_first_ = true;
    line_ = at_;
  }

  void take_token() {
    const std::size_t begin = at_;
    at_ = end_of_token();
    if (at_ == std::string_view::npos) return;
    if (is_first_) begin_line(begin - line_, code_.substr(begin, at_ - begin));
    is_first_ = false;
    count(code_[begin]);
  }

  /// npos for a string without an end, at which LibTorch stops.
  [[nodiscard]] std::size_t end_of_token() const {
    if (code_[at_] == '"' || code_[at_] == '\'') return end_of_string();
    std::size_t end = at_ + 1;
    if (is_word(code_[at_]))
      while (end < code_.size() && is_word(code_[end])) ++end;
    return end;
  }

  /// It is in one or three quotation marks.
  [[nodiscard]] std::size_t end_of_string() const {
    const std::string_view rest = code_.substr(at_);
    const std::string three(3, code_[at_]);
    const std::string mark = rest.starts_with(three) ? three : three.substr(2);
    std::size_t end = mark.size();
    while (end < rest.size() && !rest.substr(end).starts_with(mark)) {
      if (rest[end] == '\n' && mark.size() == 1) return std::string_view::npos;
      end += rest[end] == '\\' ? 2 : 1;
    }
    return end < rest.size() ? at_ + end + mark.size() : std::string_view::npos;
  }

  void begin_line(std::size_t column, std::string_view word) {
    while (blocks_.size() > 1 && blocks_.back().column > column) pop_block();
    if (blocks_.back().column < column) {
      blocks_.push_back({column});
      ++block_levels_;
    } else if (word == "elif") {
      ++blocks_.back().levels;
      ++block_levels_;
    } else if (word != "else") {
      block_levels_ -= blocks_.back().levels - 1;
      blocks_.back().levels = 1;
    }
  }

  void pop_block() {
    block_levels_ -= blocks_.back().levels;
    blocks_.pop_back();
  }

  void count(char first) {
    if (first == ')' || first == ']' || first == '}') {
      if (brackets_.size() > 1) leave_bracket();
      return;
    }
    if (first == ',') {
      tokens_ -= brackets_.back();
      brackets_.back() = 0;
      return;
    }
    ++brackets_.back();
    ++tokens_;
    if (first == '(' || first == '[' || first == '{') brackets_.push_back(0);
    deepest_ = std::max(deepest_, block_levels_ + tokens_);
  }

  void leave_bracket() {
    tokens_ -= brackets_.back();
    brackets_.pop_back();
  }

  std::string_view code_;
  std::size_t at_ = 0;
  std::size_t line_ = 0;  // where it begins
  bool is_first_ = true;  // whether the next token is the line's first
  std::vector<Block> blocks_{{}};
  std::vector<int> brackets_{0};  // tokens since the last comma, for each bracket that is open
  int block_levels_ = 1;          // of all blocks
  int tokens_ = 0;                // of all brackets
  int deepest_ = 0;
};

}  // namespace

int code_depth(std::string_view code) { return DepthScan(code).run(); }

void check_code_depth(const Archive& archive, const std::filesystem::path& path) {
  for (const Archive::Record& record : archive.records()) {
    if (!record.name.ends_with(".py")) continue;
    const std::string name = record.name.substr(archive.top().size());
    if (code_depth(archive.read(name)) > kDeepestCode)
      throw Error(ErrorKind::file, fmt::format("{}: the code in {} is nested too deep", path.string(), name),
                  "no network does this: the file is made to hurt");
  }
}

}  // namespace fusekit::file
