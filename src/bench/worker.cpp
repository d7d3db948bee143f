// A worker process: executes the requests of protocol.h.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bench/profile.h"
#include "bench/protocol.h"
#include "bench/timing.h"
#include "runtime/resident_memory.h"

namespace fusekit::bench {
namespace {

using nlohmann::json;

/// Reads lines from a file descriptor; nullopt at its end.
class LineReader {
 public:
  explicit LineReader(int file) : file_(file) {}

  std::optional<std::string> next() {
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      char chunk[4096];
      const ssize_t count = ::read(file_, chunk, sizeof chunk);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return std::nullopt;
      buffer_.append(chunk, static_cast<std::size_t>(count));
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
  }

 private:
  int file_;
  std::string buffer_;
};

bool write_line(int file, std::string line) {
  line += '\n';
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t count = ::write(file, line.data() + written, line.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    written += static_cast<std::size_t>(count);
  }
  return true;
}

/// From /proc/self/task/*/schedstat: nanoseconds on a CPU, nanoseconds of waiting for one, time slices. 0 where the kernel
/// does not count them.
double waited_seconds() {
  double nanoseconds = 0;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream file(task.path() / "schedstat");
    double running = 0;
    double waiting = 0;
    if (file >> running >> waiting) nanoseconds += waiting;
  }
  return 1e-9 * nanoseconds;
}

Usage usage_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return {runtime::peak_resident_kib(), usage.ru_majflt, usage.ru_nivcsw,
          seconds(usage.ru_utime) + seconds(usage.ru_stime), waited_seconds()};
}

class Worker {
 public:
  json answer(const json& request) {
    const std::string op = request.at("op");
    if (op == "start") return start(request);
    if (op == "load") return load(request);
    if (op == "run") return run(request);
    if (op == "profile") return to_answer(profile(variant_of(request.at("variant")), clock_, request.at("seconds")));
    if (op == "usage") return to_answer(usage_so_far());
    throw Error(ErrorKind::usage, "a worker does not know '" + op + "'");
  }

 private:
  static json start(const json& request) {
    apply({.threads = request.at("threads"),
           .engine = request.at("engine"),
           .libraries = request.at("libraries"),
           .run_limit = optional_of<double>(request, "run_limit"),
           .max_memory = optional_of<std::uint64_t>(request, "max_memory")});
    return json::object();
  }

  json load(const json& request) {
    // Keep it, so that the allocator does not reuse it, and write to it, so that its pages exist.
    padding_.emplace_back(request.at("padding").get<std::size_t>(), '\1');
    const std::int64_t before = runtime::resident_kib();
    const std::int64_t begin = clock_.now();
    const Variant variant = variant_of(request.at("variant"));
    Streams& streams = runners_[request.at("index")];
    streams.push_back(load_runner(variant));
    LoadFigures figures;
    figures.load_us = 1e-3 * static_cast<double>(clock_.now() - begin);
    figures.first_us = time_runs(*streams.front(), clock_, 0, 1).run_us.front();
    while (streams.size() < static_cast<std::size_t>(variant.streams)) streams.push_back(load_runner(variant));
    figures.rss_kib = runtime::resident_kib() - before;
    return to_answer(figures);
  }

  json run(const json& request) {
    Streams& streams = runners_.at(request.at("index"));
    const int lead_in = request.at("lead_in");
    const int runs = request.at("runs");
    return to_answer(streams.size() == 1 ? time_runs(*streams.front(), clock_, lead_in, runs)
                                         : time_streams(streams, clock_, lead_in, runs));
  }

  Clock& clock_ = real_clock();
  std::vector<std::string> padding_;
  std::map<std::size_t, Streams> runners_;
};

}  // namespace

void serve_worker(int in, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a worker ends with the program that started it
  signal(SIGINT, SIG_IGN);           // Ctrl-C reaches the whole process group; the parent ends its workers itself
  // The parent tells what stands last on a worker's standard error.
  end_process_at_limits([](const Error& error) { fmt::print(stderr, "{}\n", error.message()); });
  LineReader requests(in);
  Worker worker;
  while (const auto line = requests.next()) {
    json answer;
    try {
      answer = worker.answer(json::parse(*line));
    } catch (const Error& error) {
      answer = to_answer(error);
    } catch (const std::exception& error) {
      answer = to_answer(Error(ErrorKind::model, reason_of(error)));
    }
    if (!write_line(out, answer.dump(-1, ' ', false, json::error_handler_t::replace))) return;
  }
}

void serve_worker() {
  // A network may print: that must not get between the answers.
  const int answers = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  serve_worker(STDIN_FILENO, answers);
}

}  // namespace fusekit::bench
