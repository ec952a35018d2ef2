#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/fd.h"

namespace slipway::os {

/// Opens with O_CLOEXEC added. Errors name the path.
Result<Fd> open_file(const std::filesystem::path& path, int flags, mode_t mode = 0);

/// The whole of a regular file. `exhausted` when it is longer than `most_bytes`; nothing is truncated silently.
/// Anything else (`invalid`), a FIFO in a stranger's tree say, could keep us waiting for ever.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t most_bytes);
/// As `read_file`, for a path that a person named: it may be a pipe, and is waited for.
Result<std::string> read_stream(const std::filesystem::path& path, std::size_t most_bytes);

/// Everything from `fd`'s position to its end, at most `most_bytes` (else `exhausted`).
Result<std::string> read_all(int fd, std::size_t most_bytes);

/// All of `bytes`, through partial writes and EINTR.
Result<void> write_all(int fd, std::string_view bytes);

/// Writes beside the target, syncs, and renames over it: readers see the old file or the new one. The directory is not
/// synced: after a power failure it may be the old one again, whole.
Result<void> replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode);

/// Creates `path` and its parents where missing, the last one with `mode`.
Result<void> make_directories(const std::filesystem::path& path, mode_t mode);

/// The names in a directory, in no order, without `.` and `..`; at most kMaxListed (else `exhausted`). A missing
/// directory is `not_found`.
inline constexpr std::size_t kMaxListed = 1'000'000;
Result<std::vector<std::string>> list_directory(const std::filesystem::path& path);

/// What was made in, renamed in or removed from a directory is there, or gone, after a power failure too.
Result<void> sync_directory(const std::filesystem::path& path);

/// Removes a tree without following links and without leaving it by a mount. A missing tree is success.
Result<void> remove_tree(const std::filesystem::path& path);

/// Opens `path` below `directory_fd` as untrusted input: no link or mount is crossed, nothing outside is reached,
/// a FIFO does not block, and only a regular file is accepted (`denied` otherwise).
/// See openat2(2): RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV.
Result<Fd> open_untrusted(int directory_fd, const std::string& path);

/// The directory `path` as the job gives it, with its links, but through no magic one: /proc/self/fd/N leads to
/// wherever this process may reach. O_PATH and `more_flags`. Only a system call, for a child of fork; -1 and errno.
int open_job_directory(const char* path, int more_flags = 0);

/// Closes every descriptor from 3 on that is not in `kept`, which gets sorted; negative ones are passed over. Only
/// system calls.
void close_all_but(std::span<int> kept);

/// One pipe, both ends close-on-exec.
struct Pipe {
  Fd read;
  Fd write;
};
Result<Pipe> make_pipe();

/// A connected pair of unix stream sockets, both close-on-exec.
struct SocketPair {
  Fd first;
  Fd second;
};
Result<SocketPair> make_socket_pair();

}  // namespace slipway::os
