#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "journal/reader.h"
#include "journal/writer.h"
#include "os/files.h"

/// For this module's tests: journals in memory files.
namespace slipway::journal {

inline constexpr Time kStart = Time(std::chrono::seconds(1'000'000));

template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().what;
    std::abort();
  }
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) {
    ADD_FAILURE() << result.error().what;
    std::abort();
  }
}

inline os::Fd memory_file() { return os::Fd(::memfd_create("journal", MFD_CLOEXEC)); }
inline os::Fd again(int fd) { return os::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

inline std::string bytes_of(int fd) {
  std::string bytes(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(::pread(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return bytes;
}
inline os::Fd file_with(std::string_view bytes) {
  os::Fd file = memory_file();
  EXPECT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return file;
}

struct Seen {
  RecordType type;
  std::uint8_t flags;
  std::uint16_t step;
  Time time;
  std::string payload;
  std::uint64_t offset;
  friend bool operator==(const Seen&, const Seen&) = default;
};
struct ReadAll {
  std::vector<Seen> records;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> damage;  // offset, bytes
  Next::What end = Next::What::end;
};
inline ReadAll read_all_records(Reader reader, std::uint64_t from = 0) {
  ReadAll all;
  reader.seek(from);
  for (;;) {
    const Next next = must(reader.next());
    if (next.what == Next::What::damaged) {
      all.damage.emplace_back(next.offset, next.lost);
    } else if (next.what == Next::What::record) {
      const Record& r = next.record;
      all.records.push_back({r.type, r.flags, r.step, r.time, std::string(r.payload), next.offset});
    } else {
      all.end = next.what;
      return all;
    }
  }
}
inline ReadAll read_all_records(int fd) { return read_all_records(must(Reader::open_plain(again(fd)))); }

}  // namespace slipway::journal
