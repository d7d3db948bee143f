// Operators that do not come with LibTorch: fusekit_test::twice, and fusekit_test::escape, which does what code that has
// taken over the process would try.
#include <ATen/core/Tensor.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <torch/library.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

extern char** environ;

namespace {

bool writes_file() {
  const char* path = std::getenv("FUSEKIT_TEST_ESCAPE");
  const int file = path == nullptr ? -1 : open(path, O_WRONLY | O_CREAT, 0644);
  if (file >= 0) close(file);
  return file >= 0;
}

bool opens_connection() {
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connection >= 0) close(connection);
  return connection >= 0;
}

bool runs_program() {
  std::string name = "true";
  char* const arguments[] = {name.data(), nullptr};
  pid_t pid = -1;
  if (posix_spawnp(&pid, "true", nullptr, nullptr, arguments, environ) != 0) return false;
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

at::Tensor escape(const at::Tensor& x) {
  std::string escaped;
  if (writes_file()) escaped += " file";
  if (opens_connection()) escaped += " network";
  if (runs_program()) escaped += " program";
  TORCH_CHECK(escaped.empty(), "escaped:", escaped);
  return x.mul(2);
}

}  // namespace

TORCH_LIBRARY(fusekit_test, library) {
  library.def("twice(Tensor x) -> Tensor", [](const at::Tensor& x) { return x.mul(2); });
  library.def("escape(Tensor x) -> Tensor", escape);
}
