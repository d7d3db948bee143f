#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "bench/external_program.h"
#include "bench/protocol.h"
#include "bench/subprocess.h"
#include "fusekit/bench_launcher.h"
#include "fusekit/interrupted.h"

namespace fusekit::bench {
namespace {

using nlohmann::json;

class WorkerProcess : public Process {
 public:
  WorkerProcess(const std::vector<std::string>& command, const RuntimeOptions& runtime,
                const std::vector<std::string>& environment, const std::function<bool()>& interrupted)
      : interrupted_(interrupted), stderr_(make_stderr_file()) {
    auto [request_read, request_write] = make_pipe();
    auto [answer_read, answer_write] = make_pipe();
    pid_ = spawn(command, request_read.get(), answer_write.get(), stderr_.get(), /*own_group=*/false, environment);
    request_read.close();
    answer_write.close();  // only the worker has it open now, so that we see its end when the worker dies
    requests_ = std::move(request_write);
    answers_ = std::move(answer_read);
    try {
      ask({{"op", "start"},
           {"threads", runtime.threads},
           {"engine", runtime.engine},
           {"libraries", runtime.libraries},
           {"run_limit", runtime.run_limit ? json(*runtime.run_limit) : json()},
           {"max_memory", runtime.max_memory ? json(*runtime.max_memory) : json()}});
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

  Profile profile(const Variant& variant, double seconds) override {
    return profile_of(ask({{"op", "profile"}, {"seconds", seconds}, {"variant", to_request(variant)}}));
  }

  Usage usage() override { return usage_of(ask({{"op", "usage"}})); }

  void suspend() override {
    signal(SIGSTOP);
    suspended_ = true;
  }

 private:
  /// Does nothing where the worker has ended: kill(-1) would go to every process.
  void signal(int number) const {
    if (pid_ >= 0) kill(pid_, number);
  }

  json ask(const json& request) {
    if (std::exchange(suspended_, false)) signal(SIGCONT);
    const std::string line = request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    // With SIGPIPE ignored, a worker that died shows as EPIPE and does not kill this process.
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
      if (interrupted_ && interrupted_()) throw Interrupted();
      pollfd waiting{answers_.get(), POLLIN, 0};
      const int ready = poll(&waiting, 1, 200);  // ms, the longest delay until an interrupt is seen
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
    requests_.close();  // a worker that closed only its output ends now, too
    const int status = wait_for(std::exchange(pid_, -1));
    const std::string reason = last_line_of(stderr_);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    throw Error(ErrorKind::model,
                fmt::format("a worker process {}{}", exit_text(status), reason.empty() ? "" : ": " + reason),
                killed ? "the kernel does this when memory runs out: look at `dmesg`" : "");
  }

  void end() {
    requests_.close();
    answers_.close();
    if (pid_ < 0) return;
    // It has no results left to write, and an orderly shutdown of LibTorch takes longer.
    signal(SIGKILL);
    wait_for(std::exchange(pid_, -1));
  }

  const std::function<bool()>& interrupted_;
  FileDescriptor stderr_;  ///< the worker's, in memory
  FileDescriptor requests_;
  FileDescriptor answers_;
  pid_t pid_ = -1;
  bool suspended_ = false;
  std::string buffer_;
};

class ProcessLauncher : public Launcher {
 public:
  ProcessLauncher(std::vector<std::string> command, std::function<bool()> interrupted)
      : command_(std::move(command)), interrupted_(std::move(interrupted)) {}

  std::unique_ptr<Process> start(const RuntimeOptions& runtime, const std::vector<std::string>& environment) override {
    return std::make_unique<WorkerProcess>(command_, runtime, environment, interrupted_);
  }

  std::vector<double> times_of(const std::string& command, double max_seconds) override {
    return run_external_program(command, max_seconds, interrupted_);
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
