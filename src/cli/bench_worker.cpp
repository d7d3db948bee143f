#include <CLI/CLI.hpp>
#include <cstdlib>
#include <cstring>

#include "cli/commands.h"
#include "cli/options.h"
#include "fusekit/bench.h"
#include "fusekit/sandbox.h"

namespace fusekit::cli {
namespace {

/// The worker process that `bench` starts; not for users.
class BenchWorkerCommand : public Command {
 public:
  std::string name() const override { return "bench-worker"; }
  std::string summary() const override { return "One of bench's processes"; }
  std::string example() const override { return "fusekit bench-worker < REQUESTS"; }
  bool hidden() const override { return true; }
  void add_options(CLI::App&) override {}

  int run(Console&) override {
    const char* trusted = std::getenv(kTrust);
    if (trusted == nullptr || std::strcmp(trusted, "1") != 0) enter_sandbox({});
    bench::serve_worker();
    return kDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_bench_worker_command() { return std::make_unique<BenchWorkerCommand>(); }

}  // namespace fusekit::cli
