#include "os/seccomp.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include <gtest/gtest.h>

namespace slipway::os {
namespace {

// errno of `call` made under the filter, in a child; 0: it worked.
template <class Call>
int under_filter(Nesting nesting, Call call) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!apply_step_filter(nesting)) ::_exit(255);
    errno = 0;
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

TEST(StepFilter, LetsOrdinaryCallsThrough) {
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::getppid(); }), 0);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }), 0);
  EXPECT_EQ(under_filter(Nesting::refused,
                         [] {
                           const pid_t child = ::fork();
                           if (child == 0) ::_exit(0);
                           return ::waitpid(child, nullptr, 0);
                         }),
            0);
  EXPECT_EQ(under_filter(Nesting::refused,
                         [] {
                           std::thread([] {}).join();  // libc's clone3 falls back to clone
                           return 0;
                         }),
            0);
}

TEST(StepFilter, RefusesWhatOpensTheHostAndSaysSo) {
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::unshare(CLONE_NEWUSER); }), EPERM);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }),
            EPERM);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_bpf, 0, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_io_uring_setup, 1, 0); }), EPERM);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_mount, 0, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::socket(40 /* AF_VSOCK */, SOCK_STREAM, 0); }), EAFNOSUPPORT);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_personality, 0x1); }), EPERM);
#if defined(__x86_64__)
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_modify_ldt, 0, 0, 0); }), EPERM);
#endif
}

TEST(StepFilter, LetsNetlinkThroughForAddressesSocketsAndDevicesOnly) {
  for (const int fine : {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC}) {
    EXPECT_EQ(under_filter(Nesting::refused, [&] { return ::socket(AF_NETLINK, SOCK_RAW, fine); }), 0) << fine;
  }
  for (const int other : {NETLINK_AUDIT, NETLINK_NETFILTER, NETLINK_XFRM, NETLINK_CONNECTOR, NETLINK_CRYPTO}) {
    EXPECT_EQ(under_filter(Nesting::refused, [&] { return ::socket(AF_NETLINK, SOCK_RAW, other); }), EPROTONOSUPPORT)
        << other;
  }
  EXPECT_EQ(under_filter(Nesting::allowed, [] { return ::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER); }), 0);
  EXPECT_EQ(under_filter(Nesting::allowed, [] { return ::socket(40 /* AF_VSOCK */, SOCK_STREAM, 0); }), EAFNOSUPPORT);
}

TEST(StepFilter, AnswersUnknownCallsLikeAnOlderKernel) {
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(SYS_clone3, 0, 0); }), ENOSYS);
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(900, 0); }), ENOSYS);
#if defined(__x86_64__)
  EXPECT_EQ(under_filter(Nesting::refused, [] { return ::syscall(0x40000000 + SYS_getpid); }), ENOSYS);  // x32
#endif
}

TEST(StepFilter, LetsANestedJobMakeItsOwnNamespaces) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer has a thread of its own in each process";
#endif
  EXPECT_EQ(under_filter(Nesting::allowed, [] { return ::unshare(CLONE_NEWUSER); }), 0);
  EXPECT_EQ(under_filter(Nesting::allowed, [] { return ::syscall(SYS_bpf, 0, 0, 0); }), EPERM);
}

}  // namespace
}  // namespace slipway::os
