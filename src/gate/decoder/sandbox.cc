#include "gate/decoder/sandbox.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <memory>

#include "base/file.h"
#include "base/secret.h"

namespace cce::gate {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CCE_GATE_ASAN 1
#endif
#endif

Result<> Limit(int what, uint64_t value) {
  const rlimit limit{value, value};
  if (setrlimit(static_cast<__rlimit_resource_t>(what), &limit) != 0) {
    return FailErrno("setrlimit", errno);
  }
  return {};
}

bool Allow(scmp_filter_ctx filter, int call) {
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
}

// libseccomp's own macros for these are C only.
scmp_arg_cmp Arg(unsigned int which, scmp_compare how, uint64_t a, uint64_t b = 0) {
  return {which, how, a, b};
}

bool AddRules(scmp_filter_ctx filter) {
  bool good = true;
  for (const int call :
       {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(exit),
        SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(futex), SCMP_SYS(clock_gettime)}) {
    good = good && Allow(filter, call);
  }
#ifdef CCE_GATE_ASAN  // the sanitizer's own needs
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(gettid), SCMP_SYS(getpid),
                         SCMP_SYS(sched_yield), SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigprocmask)}) {
    good = good && Allow(filter, call);
  }
#else
  good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                  Arg(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
#endif
  good = good &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, Arg(0, SCMP_CMP_EQ, 0)) == 0;
  good = good &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, Arg(0, SCMP_CMP_LE, 2)) == 0;
  // Libraries that look for a locale, a converter or a time zone are told that there is none.
  for (const int call : {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(newfstatat),
                         SCMP_SYS(fstat), SCMP_SYS(access), SCMP_SYS(readlink), SCMP_SYS(getrandom),
                         SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(umask)}) {
    good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
  }
  return good;
}

}  // namespace

Result<> PrepareProcess() {
  TRY(HardenProcess());
  if (close_range(3, ~0U, 0) != 0) return FailErrno("close_range", errno);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // File names in archives are converted to UTF-8, without a converter library; times need no zone
  // file.
  setlocale(LC_CTYPE, "C.UTF-8");
  setenv("TZ", "UTC0", 1);
  tzset();
  return {};
}

Result<> EnterSandbox(const DecodeRequest& request) {
#ifndef CCE_GATE_ASAN
  TRY(Limit(RLIMIT_AS, request.max_memory));
#endif
  TRY(Limit(RLIMIT_CPU, request.max_cpu_seconds));
  TRY(Limit(RLIMIT_CORE, 0));
  TRY(Limit(RLIMIT_FSIZE, 0));
  TRY(Limit(RLIMIT_NOFILE, 0));
  TRY(Limit(RLIMIT_NPROC, 0));
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS),
                                                      [](void* f) { seccomp_release(f); });
  if (!filter || !AddRules(filter.get()) || seccomp_load(filter.get()) != 0) {
    return Fail("gate.decoder_failed", "the system-call filter cannot be set");
  }
  return {};
}

}  // namespace cce::gate
