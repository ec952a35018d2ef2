#include "os/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "os/seccomp_calls.h"

// The filter is a search tree over call numbers, made at compile time: a path of seven or eight comparisons instead of
// a line of 300 (and 99 µs instead of 558 to load).

namespace slipway::os {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "no call filter for this architecture"
#endif

constexpr std::size_t kMaxCalls = 1024;  // numbers below it are decided one by one
constexpr std::size_t kMaxInstructions = 512;
constexpr std::size_t kFirstUnknown = 470;            // calls newer than the list: ENOSYS, so that libc falls back
constexpr std::uint32_t kNewNamespaces = 0x7E020000;  // CLONE_NEW*
constexpr std::uint32_t kVsock = 40;                  // reaches the hypervisor
constexpr std::uint32_t kAlg = 38;                    // kernel crypto: attack surface
constexpr std::uint32_t kUname26 = 0x0020000, kNoRandomize = 0x0040000;

constexpr std::uint32_t kNetlink = 16;
// Routes and addresses (ip, getaddrinfo), sockets (ss), device events (libudev), generic. Not audit, netfilter, xfrm.
constexpr std::array<std::uint32_t, 4> kNetlinkFine = {0, 4, 15, 16};

enum class Verdict : std::uint8_t { refuse, allow, unknown, clone, socket, nested_socket, personality };

struct Program {
  std::array<sock_filter, kMaxInstructions> code{};
  std::size_t size = 0;

  constexpr void add(unsigned code_word, std::uint32_t value, std::size_t if_true = 0, std::size_t if_false = 0) {
    SW_ASSERT(if_true <= 255 && if_false <= 255, "a jump of the filter is too far");  // fails the build: constant
    code.at(size++) = {static_cast<std::uint16_t>(code_word), static_cast<std::uint8_t>(if_true),
                       static_cast<std::uint8_t>(if_false), value};
  }
};

constexpr std::uint32_t refusal(int error) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error); }

constexpr std::uint32_t argument(std::size_t index) {  // low half; both architectures are little endian
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

constexpr void add_leaf(Program& program, Verdict verdict) {
  constexpr unsigned kLoad = BPF_LD | BPF_W | BPF_ABS, kReturn = BPF_RET | BPF_K;
  constexpr unsigned kEqual = BPF_JMP | BPF_JEQ | BPF_K, kAnySet = BPF_JMP | BPF_JSET | BPF_K;
  switch (verdict) {
    case Verdict::allow: program.add(kReturn, SECCOMP_RET_ALLOW); return;
    case Verdict::refuse: program.add(kReturn, refusal(EPERM)); return;
    case Verdict::unknown: program.add(kReturn, refusal(ENOSYS)); return;
    case Verdict::clone:
      program.add(kLoad, argument(0));
      program.add(kAnySet, kNewNamespaces, 0, 1);
      program.add(kReturn, refusal(EPERM));
      program.add(kReturn, SECCOMP_RET_ALLOW);
      return;
    case Verdict::socket:
    case Verdict::nested_socket: {
      const std::size_t protocols = verdict == Verdict::socket ? kNetlinkFine.size() + 3 : 0;
      program.add(kLoad, argument(0));
      program.add(kEqual, kVsock, protocols + 2, 0);
      program.add(kEqual, kAlg, protocols + 1, 0);
      if (verdict == Verdict::socket) {
        program.add(kEqual, kNetlink, 0, kNetlinkFine.size() + 2);
        program.add(kLoad, argument(2));
        for (std::size_t i = 0; i < kNetlinkFine.size(); ++i) {
          program.add(kEqual, kNetlinkFine.at(i), kNetlinkFine.size() - i, 0);
        }
        program.add(kReturn, refusal(EPROTONOSUPPORT));  // as a kernel without it: libaudit goes on
      }
      program.add(kReturn, SECCOMP_RET_ALLOW);
      program.add(kReturn, refusal(EAFNOSUPPORT));
      return;
    }
    case Verdict::personality: {
      program.add(kLoad, argument(0));
      constexpr std::array<std::uint32_t, 6> kFine = {0, 8, kUname26, kUname26 | 8, kNoRandomize, 0xFFFFFFFF};
      for (std::size_t i = 0; i < kFine.size(); ++i) program.add(kEqual, kFine.at(i), kFine.size() - i, 0);
      program.add(kReturn, refusal(EPERM));
      program.add(kReturn, SECCOMP_RET_ALLOW);
      return;
    }
  }
}

struct Segment {
  std::uint32_t first = 0;  // this number and all up to the next segment's first
  Verdict verdict = Verdict::refuse;
};

struct Segments {
  std::array<Segment, kMaxCalls> items{};
  std::size_t size = 0;
};

// The code for items [from, to), as one block that is entered at its start.
constexpr Program subtree(const Segments& segments, std::size_t from, std::size_t to) {
  Program program;
  if (to - from == 1) {
    add_leaf(program, segments.items.at(from).verdict);
    return program;
  }
  const std::size_t middle = from + (to - from) / 2;
  const Program low = subtree(segments, from, middle);
  const Program high = subtree(segments, middle, to);
  program.add(BPF_JMP | BPF_JGE | BPF_K, segments.items.at(middle).first, low.size, 0);
  for (std::size_t i = 0; i < low.size; ++i) program.code.at(program.size++) = low.code.at(i);
  for (std::size_t i = 0; i < high.size; ++i) program.code.at(program.size++) = high.code.at(i);
  return program;
}

constexpr Segments segments_for(Nesting nesting) {
  std::array<Verdict, kMaxCalls> verdicts{};
  for (std::size_t i = kFirstUnknown; i < kMaxCalls; ++i) verdicts.at(i) = Verdict::unknown;
  for (const int call : kAllowedCalls) verdicts.at(static_cast<std::size_t>(call)) = Verdict::allow;
  verdicts.at(SYS_socket) = nesting == Nesting::allowed ? Verdict::nested_socket : Verdict::socket;
  verdicts.at(SYS_personality) = Verdict::personality;
  verdicts.at(SYS_clone) = nesting == Nesting::allowed ? Verdict::allow : Verdict::clone;
  verdicts.at(SYS_clone3) = Verdict::unknown;
  if (nesting == Nesting::allowed) {
    for (const int call : kNestedCalls) verdicts.at(static_cast<std::size_t>(call)) = Verdict::allow;
  }
  Segments segments;
  for (std::size_t i = 0; i < kMaxCalls; ++i) {
    if (i != 0 && verdicts.at(i) == verdicts.at(i - 1)) continue;
    segments.items.at(segments.size++) = {static_cast<std::uint32_t>(i), verdicts.at(i)};
  }
  return segments;
}

constexpr Program program_for(Nesting nesting) {
  const Segments segments = segments_for(nesting);
  Program program;
  program.add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  program.add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  program.add(BPF_RET | BPF_K, refusal(ENOSYS));  // another architecture's calls (and their numbers) are not for us
  program.add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  const Program tree = subtree(segments, 0, segments.size);
  for (std::size_t i = 0; i < tree.size; ++i) program.code.at(program.size++) = tree.code.at(i);
  return program;
}

constexpr Program kStandard = program_for(Nesting::refused);
constexpr Program kNested = program_for(Nesting::allowed);

constexpr int kReaderCalls[] = {SYS_read,     SYS_write,        SYS_lseek,        SYS_fstat,          SYS_brk,
                                SYS_mmap,     SYS_munmap,       SYS_mremap,       SYS_madvise,        SYS_futex,
                                SYS_exit,     SYS_exit_group,   SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_getrandom,
                                SYS_mprotect, SYS_clock_gettime};

constexpr Program reader_program() {
  constexpr std::size_t kCalls = std::size(kReaderCalls);
  Program program;
  program.add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  program.add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  program.add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program.add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (std::size_t i = 0; i < kCalls; ++i) {
    program.add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kReaderCalls[i]), kCalls - i, 0);
  }
  program.add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program.add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  return program;
}

constexpr Program kReader = reader_program();

bool apply(const Program& program) {
  const sock_fprog filter{static_cast<unsigned short>(program.size), const_cast<sock_filter*>(program.code.data())};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

}  // namespace

bool apply_step_filter(Nesting nesting) { return apply(nesting == Nesting::allowed ? kNested : kStandard); }

bool apply_reader_filter() { return apply(kReader); }

}  // namespace slipway::os
