// Fresh processes: start, talk, and make sure that none is left.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bench/protocol.h"

extern char** environ;

namespace fusekit::bench {
namespace {

using nlohmann::json;

/// A file descriptor that is closed at its end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail(const std::string& what, int code) {
  throw Error(ErrorKind::usage, fmt::format("can't start a worker process: {}: {}", what, std::strerror(code)),
              "check the limits on processes and open files (ulimit -a)");
}

/// (read end, write end), neither of which a child inherits by accident.
std::pair<Descriptor, Descriptor> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe", errno);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

class WorkerProcess : public Process {
 public:
  WorkerProcess(const std::vector<std::string>& command, const RuntimeOptions& runtime,
                const std::function<bool()>& interrupted)
      : interrupted_(interrupted), words_(memfd_create("fusekit-worker", MFD_CLOEXEC)) {
    auto [request_read, request_write] = make_pipe();
    auto [answer_read, answer_write] = make_pipe();
    spawn(command, request_read.get(), answer_write.get());
    request_read.close();
    answer_write.close();  // only the worker holds it now, so that its death ends our reading
    requests_ = std::move(request_write);
    answers_ = std::move(answer_read);
    try {
      ask({{"op", "start"}, {"threads", runtime.threads}, {"engine", runtime.engine}});
    } catch (...) {
      end();  // a constructor that throws has no destructor
      throw;
    }
  }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess() override { end(); }

  LoadFigures load(std::size_t index, const Variant& variant, std::size_t padding) override {
    return load_figures_of(
        ask({{"op", "load"}, {"index", index}, {"padding", padding}, {"variant", to_request(variant)}}));
  }

  Times run(const Slot& slot) override {
    return times_of(ask({{"op", "run"}, {"index", slot.variant}, {"lead_in", slot.lead_in}, {"runs", slot.runs}}));
  }

  Usage usage() override { return usage_of(ask({{"op", "usage"}})); }

 private:
  void spawn(const std::vector<std::string>& command, int in, int out) {
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (words_.get() >= 0) posix_spawn_file_actions_adddup2(&actions, words_.get(), STDERR_FILENO);
    const int code = posix_spawn(&pid_, words.front(), &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
      pid_ = -1;
      fail(command.front(), code);
    }
  }

  json ask(const json& request) {
    const std::string line = request.dump() + "\n";
    // A worker that died is met with EPIPE, not with a signal that ends us.
    struct sigaction ignore {
    }, before{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before);
    const ssize_t written = ::write(requests_.get(), line.data(), line.size());
    sigaction(SIGPIPE, &before, nullptr);
    if (written != static_cast<ssize_t>(line.size())) died();
    json answer = json::parse(read_line(), nullptr, false);
    if (answer.is_discarded()) throw Error(ErrorKind::model, "a worker process answered with something else than JSON");
    throw_if_error(answer);
    return answer;
  }

  std::string read_line() {
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      if (interrupted_ && interrupted_()) throw Error(ErrorKind::usage, "interrupted", "nothing was saved or reported");
      pollfd waiting{answers_.get(), POLLIN, 0};
      const int ready = poll(&waiting, 1, 200);  // ms: how late an interrupt may be seen
      if (ready <= 0) continue;
      char chunk[65536];
      const ssize_t count = ::read(answers_.get(), chunk, sizeof chunk);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) died();
      buffer_.append(chunk, static_cast<std::size_t>(count));
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
  }

  [[noreturn]] void died() {
    requests_.close();  // what has closed its answers without ending will end now
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    const std::string how =
        WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
                            : fmt::format("ended with exit code {}", WEXITSTATUS(status));
    const std::string words = last_words();
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    throw Error(ErrorKind::model, fmt::format("a worker process {}{}", how, words.empty() ? "" : ": " + words),
                killed ? "the kernel does this when memory runs out: look at `dmesg`" : "");
  }

  /// The last line that the worker wrote to stderr.
  [[nodiscard]] std::string last_words() const {
    const off_t size = words_.get() < 0 ? 0 : lseek(words_.get(), 0, SEEK_END);
    std::string text(static_cast<std::size_t>(std::clamp<off_t>(size, 0, 4096)), '\0');
    if (text.empty() || pread(words_.get(), text.data(), text.size(), size - static_cast<off_t>(text.size())) < 0)
      return {};
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }

  void end() {
    requests_.close();
    answers_.close();
    if (pid_ < 0) return;
    // Nothing it could still do matters, and tearing down LibTorch takes longer than this.
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
  }

  const std::function<bool()>& interrupted_;
  Descriptor words_;  ///< the worker's stderr, in memory
  Descriptor requests_;
  Descriptor answers_;
  pid_t pid_ = -1;
  std::string buffer_;
};

class ProcessLauncher : public Launcher {
 public:
  ProcessLauncher(std::vector<std::string> command, std::function<bool()> interrupted)
      : command_(std::move(command)), interrupted_(std::move(interrupted)) {}

  std::unique_ptr<Process> start(const RuntimeOptions& runtime) override {
    return std::make_unique<WorkerProcess>(command_, runtime, interrupted_);
  }

 private:
  std::vector<std::string> command_;
  std::function<bool()> interrupted_;
};

}  // namespace

std::unique_ptr<Launcher> process_launcher(std::vector<std::string> command, std::function<bool()> interrupted) {
  return std::make_unique<ProcessLauncher>(std::move(command), std::move(interrupted));
}

}  // namespace fusekit::bench
