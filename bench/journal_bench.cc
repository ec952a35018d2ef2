// The journal's parts, in processor time where nothing waits: crc32c, appending, reading, lines; and by the clock:
// sealing and a seek to the last lines. Beside them memcpy and a bare write of the same bytes.
// Usage: journal_bench [MiB] [DIRECTORY]
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "journal/lines.h"
#include "journal/seal.h"
#include "journal/writer.h"
#include "measure.h"
#include "os/files.h"

using namespace slipway;

namespace {

constexpr int kRounds = 5;

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "journal_bench: {}\n", result.error().what);
  std::exit(1);
}
void must(const Result<void>& result) {
  if (result) return;
  fmt::print(stderr, "journal_bench: {}\n", result.error().what);
  std::exit(1);
}

void report(std::string_view what, double bytes, double seconds) {
  fmt::print("{:44} {:8.2f} GB/s\n", what, bytes / 1e9 / seconds);
}

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// Lines of about 100 bytes, `bytes` in all.
std::string text_of(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) {
    text += fmt::format("[{:6}] Building CXX object src/os/CMakeFiles/slipway_os.dir/part{}.cc.o {:x}\n", i, i % 97,
                        i * 2654435761U);
  }
  text.resize(bytes);
  return text;
}

void write_journal(const std::filesystem::path& path, std::string_view text, std::uint64_t bytes, std::size_t piece) {
  ::unlink(path.c_str());
  auto writer = must(journal::Writer::create(must(os::open_file(path, O_RDWR | O_CREAT, 0600))));
  Time now = from_micros(1'000'000);
  for (std::uint64_t done = 0; done < bytes; done += piece) {
    now += Duration(10);
    must(
        writer.append(journal::RecordType::output_stdout, 0, 0, now, text.substr(done % (text.size() - piece), piece)));
  }
  must(writer.close());
}

void bench_memory() {
  const std::string text = text_of(1U << 20U);
  std::string copy(text.size(), '\0');
  std::uint32_t crc = 0;
  const auto bytes = static_cast<double>(text.size()) * 200;
  report("memcpy, 1 MiB", bytes, bench::median_cpu_seconds(kRounds, [&] {
           for (int i = 0; i < 200; ++i)
             std::memcpy(copy.data(), text.data(), text.size() - static_cast<std::size_t>(crc++ % 2));
         }));
  report("crc32c, 1 MiB", bytes, bench::median_cpu_seconds(kRounds, [&] {
           for (int i = 0; i < 200; ++i) crc = crc32c(crc, text);
         }));
  report("crc32c, 128 bytes", bytes, bench::median_cpu_seconds(kRounds, [&] {
           for (std::size_t i = 0; i < 200 * (text.size() / 128); ++i)
             crc = crc32c(crc, {text.data() + i % 4096 * 128, 128});
         }));
  report("crc32c without the instruction", bytes / 10, bench::median_cpu_seconds(kRounds, [&] {
           for (int i = 0; i < 20; ++i) crc = crc32c_portable(crc, text);
         }));
  std::uint64_t lines = 0;
  report("counting lines", bytes, bench::median_cpu_seconds(kRounds, [&] {
           for (int i = 0; i < 200; ++i) lines += journal::count_newlines(text);
         }));
  fmt::print("({} {})\n", crc, lines);  // so that nothing is left out
}

void bench_files(const std::filesystem::path& directory, std::uint64_t bytes) {
  const std::string text = text_of(8U << 20U);
  const std::filesystem::path path = directory / "bench.journal";
  const auto size = static_cast<double>(bytes);
  report("bare write, 64 KiB", size, bench::median_cpu_seconds(3, [&] {
           ::unlink(path.c_str());
           const os::Fd file = must(os::open_file(path, O_WRONLY | O_CREAT, 0600));
           for (std::uint64_t done = 0; done < bytes; done += 64U << 10U)
             must(os::write_all(file.get(), {text.data() + done % (4U << 20U), 64U << 10U}));
         }));
  for (const std::size_t piece :
       {std::size_t{100}, std::size_t{4} << 10U, std::size_t{64} << 10U, std::size_t{1} << 20U}) {
    report(fmt::format("append, records of {} bytes", piece), size,
           bench::median_cpu_seconds(3, [&] { write_journal(path, text, bytes, piece); }));
  }
  write_journal(path, text, bytes, 8U << 10U);

  const auto read_records = [&] {
    journal::Reader reader = must(journal::open_reader(path));
    while (must(reader.next()).what == journal::Next::What::record) {
    }
  };
  const auto read_lines = [&](const journal::LineStart& start) {
    journal::LineReader reader = must(journal::LineReader::open(must(journal::open_source(path)), start));
    std::uint64_t lines = 0;
    while (must(reader.next()).what == journal::LineReader::Next::What::line) ++lines;
    return lines;
  };
  report("read records", size, bench::median_cpu_seconds(3, read_records));
  std::uint64_t lines = 0;
  report("read lines", size, bench::median_cpu_seconds(3, [&] { lines = read_lines({}); }));
  journal::LineStart last;
  last.step = 0;
  last.first_number = lines - 10;
  const auto seek = [&](std::string_view what, const journal::LineStart& start) {
    fmt::print("{:44} {:8.2f} ms\n", what,
               1e3 * bench::median_seconds(kRounds, [&] {
                 journal::LineReader reader = must(journal::LineReader::open(must(journal::open_source(path)), start));
                 (void)must(reader.next());
               }));
  };
  journal::LineStart middle = last;
  middle.first_number = lines / 2;
  seek("first of the last ten lines", last);
  seek("line in the middle", middle);
  const long before = peak_kib();
  journal::Sealed sealed;
  report("seal (clock)", size, bench::median_seconds(1, [&] { sealed = must(journal::seal(path, {})); }));
  fmt::print("{:44} {:8.3f} of its size, peak memory grew {} KiB\n", "sealed",
             static_cast<double>(sealed.compressed_bytes) / static_cast<double>(sealed.bytes), peak_kib() - before);
  report("read lines, sealed", size, bench::median_cpu_seconds(3, [&] { (void)read_lines({}); }));
  seek("first of the last ten lines, sealed", last);
  seek("line in the middle, sealed", middle);
  fmt::print("{:44} {:8} KiB\n", "peak memory of all this", peak_kib());
  std::filesystem::remove(path.string() + ".zst");
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t mebibytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 512;
  const std::filesystem::path directory = argc > 2 ? argv[2] : std::filesystem::temp_directory_path();
  fmt::print("journal of {} MiB in {}; medians of 3-{}\n", mebibytes, directory.string(), kRounds);
  bench_memory();
  bench_files(directory, mebibytes << 20U);
  return 0;
}
