// Any bytes as a bundle, and as entries with right checksums: unpacking ends, and whatever it makes lies in its
// directory, which a file beside it shows.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "os/bundle.h"
#include "os/bundle_stream.h"
#include "os/files.h"

using namespace slipway;

namespace {

// Small, so that a hostile size is refused and not written.
constexpr os::BundleLimits kLimits{.bytes = 1 << 16, .files = 64};

/// The input cut into entries: kind, mode, length of the path, length of the content, then both.
void write_entries(std::string_view input, int fd) {
  os::EntryWriter writer(fd);
  if (!writer.begin()) std::abort();
  while (input.size() >= 4) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
    const std::size_t path_size = byte(2) % 32, content_size = byte(3) % 32;
    const auto kind = static_cast<os::EntryHeader::Kind>(1 + byte(0) % 3);
    const std::string path(input.substr(4, path_size));
    const std::string_view content = input.substr(std::min(4 + path_size, input.size())).substr(0, content_size);
    const os::EntryHeader header{
        .kind = kind, .mode = static_cast<std::uint16_t>(0600U | byte(1)), .size = content.size(), .path = path};
    if (!writer.open_entry(header) || !writer.content(content) || !writer.close_entry()) std::abort();
    input.remove_prefix(std::min(4 + path.size() + content.size(), input.size()));
  }
  if (!writer.finish()) std::abort();
}

void take(int fd, const std::filesystem::path& target) {
  for (const os::Links links : {os::Links::refuse, os::Links::inside}) {
    ::lseek(fd, 0, SEEK_SET);
    (void)os::list_bundle(fd, kLimits);  // whatever it says: it must come back
    ::lseek(fd, 0, SEEK_SET);
    const auto directory = os::open_file(target, O_RDONLY | O_DIRECTORY);
    if (!directory) std::abort();
    (void)os::unpack(fd, directory->get(), links, kLimits);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string name = (std::filesystem::temp_directory_path() / "slipway-fuzz-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  const std::filesystem::path root = name;
  std::filesystem::create_directory(root / "target");
  const os::Fd raw(::memfd_create("raw", MFD_CLOEXEC));
  const os::Fd made(::memfd_create("made", MFD_CLOEXEC));
  if (!os::write_all(raw.get(), input)) std::abort();
  write_entries(input, made.get());
  take(raw.get(), root / "target");
  take(made.get(), root / "target");
  std::size_t beside = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(root)) ++beside;
  if (beside != 1) std::abort();
  if (!os::remove_tree(root)) std::abort();
  return 0;
}
