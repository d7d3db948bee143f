#include "fusekit/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "runtime/followed_link.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCanRestrictCalls = false;
#else
constexpr bool kCanRestrictCalls = true;
#endif

// Rights that the headers of older kernels do not name.
constexpr std::uint64_t kRefer = 1ULL << 13;     // version 2: link and rename between folders
constexpr std::uint64_t kTruncate = 1ULL << 14;  // version 3

constexpr std::uint64_t kChangeFolders =
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

constexpr std::uint64_t kWriteFiles = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

/// All rights to write that this kernel knows; 0 where it has no Landlock.
std::uint64_t rights_to_write() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return 0;
  return LANDLOCK_ACCESS_FS_WRITE_FILE | kChangeFolders | (version >= 2 ? kRefer : 0) | (version >= 3 ? kTruncate : 0);
}

/// Of a file that is there: writing to it; of a folder: to all in it.
void allow(int rules, const fs::path& path, std::uint64_t rights) {
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0) return;  // whoever writes there says what is wrong
  syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(rule.parent_fd);
}

/// The folder in which `output` is to be, or that it is.
fs::path folder_of(const fs::path& output) {
  std::error_code ignored;
  const fs::path path = runtime::followed(output);
  if (fs::is_directory(path, ignored)) return path;
  return path.parent_path().empty() ? fs::path(".") : path.parent_path();
}

bool restrict_files(const std::vector<fs::path>& writable) {
  const std::uint64_t rights = rights_to_write();
  if (rights == 0) return false;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = rights;
  const int rules =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0));
  if (rules < 0) return false;
  for (const fs::path& path : writable) allow(rules, folder_of(path), rights);
  // clear_refs: from where on this process's largest memory counts.
  for (const char* file : {"/dev/null", "/proc/self/clear_refs"}) allow(rules, file, rights & kWriteFiles);
  const bool done = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  close(rules);
  return done;
}

/// What no network needs. Those that this architecture lacks are passed over.
constexpr std::array kNeverNeeded = {SCMP_SYS(ptrace),
                                     SCMP_SYS(process_vm_readv),
                                     SCMP_SYS(process_vm_writev),
                                     SCMP_SYS(process_madvise),
                                     SCMP_SYS(pidfd_getfd),
                                     SCMP_SYS(mount),
                                     SCMP_SYS(umount2),
                                     SCMP_SYS(move_mount),
                                     SCMP_SYS(open_tree),
                                     SCMP_SYS(fsopen),
                                     SCMP_SYS(pivot_root),
                                     SCMP_SYS(chroot),
                                     SCMP_SYS(unshare),
                                     SCMP_SYS(setns),
                                     SCMP_SYS(init_module),
                                     SCMP_SYS(finit_module),
                                     SCMP_SYS(delete_module),
                                     SCMP_SYS(kexec_load),
                                     SCMP_SYS(kexec_file_load),
                                     SCMP_SYS(bpf),
                                     SCMP_SYS(userfaultfd),
                                     SCMP_SYS(io_uring_setup),
                                     SCMP_SYS(keyctl),
                                     SCMP_SYS(add_key),
                                     SCMP_SYS(request_key),
                                     SCMP_SYS(swapon),
                                     SCMP_SYS(swapoff),
                                     SCMP_SYS(reboot),
                                     SCMP_SYS(acct),
                                     SCMP_SYS(quotactl),
                                     SCMP_SYS(sethostname),
                                     SCMP_SYS(settimeofday),
                                     SCMP_SYS(clock_settime),
                                     SCMP_SYS(setuid),
                                     SCMP_SYS(setgid),
                                     SCMP_SYS(setreuid),
                                     SCMP_SYS(setresuid),
                                     SCMP_SYS(capset),
                                     SCMP_SYS(connect),
                                     SCMP_SYS(bind),
                                     SCMP_SYS(listen),
                                     SCMP_SYS(accept),
                                     SCMP_SYS(accept4)};

void deny(scmp_filter_ctx filter, int call) { seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0); }

bool restrict_system_calls(bool starts_programs) {
  if (!kCanRestrictCalls) return false;
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (!filter) return false;
  // The processor's speculation stays as it is: a timed program is not to be slower for being watched.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1);
  for (const int call : kNeverNeeded) deny(filter.get(), call);
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
  if (!starts_programs)
    for (const int call : {SCMP_SYS(execve), SCMP_SYS(execveat)}) deny(filter.get(), call);
  return seccomp_load(filter.get()) == 0;
}

}  // namespace

Sandbox possible_sandbox() {
  return {rights_to_write() != 0, kCanRestrictCalls && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0};
}

Sandbox enter_sandbox(const SandboxOptions& options) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return {};
  Sandbox sandbox;
  sandbox.files = restrict_files(options.writable);
  sandbox.system_calls = restrict_system_calls(options.starts_programs);
  return sandbox;
}

}  // namespace fusekit
