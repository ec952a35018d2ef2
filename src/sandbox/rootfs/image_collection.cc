// What lists and removes: the second half of image_store.h.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "os/files.h"
#include "os/unpack.h"
#include "sandbox/rootfs/image_store.h"

namespace slipway::sandbox::rootfs {

namespace {

namespace fs = std::filesystem;

std::uint64_t file_bytes(const fs::path& file) {
  std::error_code gone;
  const auto size = fs::file_size(file, gone);
  return gone ? 0 : size;
}

std::uint64_t layer_bytes(const fs::path& layer) {
  constexpr std::size_t kMostDigits = 32;
  const std::string text = os::read_file(layer / "bytes", kMostDigits).value_or("0");
  std::uint64_t bytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code gone;
  for (fs::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    entries.push_back(at->path());
  }
  return entries;
}

std::vector<fs::path> layer_directories(const fs::path& store) {
  std::vector<fs::path> all;
  for (const fs::path& entry : entries_of(store)) {
    if (!entry.filename().string().starts_with("layers-")) continue;
    for (fs::path& layer : entries_of(entry)) all.push_back(std::move(layer));
  }
  return all;
}

Time used_at(const fs::path& lock) {
  struct stat status{};
  if (::stat(lock.c_str(), &status) != 0) return {};
  return Time(std::chrono::duration_cast<Duration>(std::chrono::seconds(status.st_mtim.tv_sec) +
                                                   std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
}

}  // namespace

std::uint64_t ImageStore::bytes_of(const ImageRecord& record) const {
  std::uint64_t bytes = 0;
  std::set<std::string> seen;
  for (const ImageLayer& layer : record.layers) {
    if (seen.insert(layer.diff).second)
      bytes += layer_bytes(layer_path(layer.diff)) + file_bytes(blob_path(layer.blob));
  }
  return bytes;
}

std::uint64_t ImageStore::total_bytes() const {
  std::uint64_t bytes = 0;
  for (const fs::path& layer : layer_directories(options_.directory)) bytes += layer_bytes(layer);
  for (const fs::path& blob : entries_of(path("blobs/sha256"))) bytes += file_bytes(blob);
  return bytes;
}

Result<std::vector<ListedImage>> ImageStore::list() const {
  std::vector<ListedImage> images;
  const KnownNames all = names();
  for (const fs::path& entry : entries_of(path("records"))) {
    if (entry.extension() != ".json") continue;
    const std::string id = "sha256:" + entry.stem().string();
    const auto kept = is_digest(id) ? record(id) : Result<ImageRecord>(fail(ErrorKind::invalid, ""));
    if (!kept) continue;  // being removed, or broken: then it is garbage
    ListedImage& image = images.emplace_back();
    image.id = id;
    for (const auto& [name, known] : all) {
      if (known.id == id) image.names.emplace_back(name, is_digest(known.digest) ? known.digest : kept->manifest);
    }
    image.bytes = bytes_of(*kept);
    image.layers = kept->layers.size();
    image.last_used = used_at(lock_path(id));
    const auto free = os::FileLock::try_acquire(lock_path(id), os::LockMode::exclusive);
    image.in_use = free && !free->has_value();
  }
  std::sort(images.begin(), images.end(),
            [](const ListedImage& a, const ListedImage& b) { return a.last_used > b.last_used; });
  return images;
}

// False: somebody uses it. The caller holds `lock` alone.
Result<bool> ImageStore::forget(const std::string& id) const {
  SW_TRY(const auto alone, os::FileLock::try_acquire(lock_path(id), os::LockMode::exclusive));
  if (!alone) return false;
  KnownNames all = names();
  std::erase_if(all, [&](const auto& entry) { return entry.second.id == id; });
  SW_CHECK(os::replace_file(path("names.json"), encode(all), 0600));
  for (const fs::path& file : {record_path(id), lock_path(id)}) {
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "removing " + file.string());
  }
  return true;
}

// The caller holds `lock` alone: nobody adds, so what no record names was left behind.
Result<std::uint64_t> ImageStore::remove_garbage(const os::CallLimit& limit) const {
  std::set<std::string> wanted;
  for (const fs::path& entry : entries_of(path("records"))) {
    if (entry.extension() != ".json") continue;
    const auto kept = record("sha256:" + entry.stem().string());
    if (!kept) continue;
    for (const std::string& digest : {kept->id, kept->manifest}) wanted.insert(digits_of(digest));
    for (const ImageLayer& layer : kept->layers) {
      wanted.insert(digits_of(layer.blob));
      wanted.insert(digits_of(layer.diff));
    }
  }
  std::uint64_t freed = 0;
  for (const fs::path& blob : entries_of(path("blobs/sha256"))) {
    if (wanted.contains(blob.filename().string())) continue;
    freed += file_bytes(blob);
    if (::unlink(blob.c_str()) != 0) return fail_errno(errno, "removing " + blob.string());
  }
  for (const fs::path& layer : layer_directories(options_.directory)) {
    if (wanted.contains(layer.filename().string())) continue;
    const std::uint64_t bytes = layer_bytes(layer);
    // Away first, so that nobody finds half of it.
    const fs::path away = layer.parent_path() / ("tmp-" + layer.filename().string());
    if (layer != away && !layer.filename().string().starts_with("tmp-") && ::rename(layer.c_str(), away.c_str()) != 0) {
      return fail_errno(errno, "removing " + layer.string());
    }
    const fs::path gone = ::access(away.c_str(), F_OK) == 0 ? away : layer;
    SW_CHECK(os::remove_unpacked(options_.unpack_program, gone / "root", limit));
    SW_CHECK(os::remove_tree(gone));
    freed += bytes;
  }
  for (const fs::path& left : entries_of(path("fetch"))) SW_CHECK(os::remove_tree(left));
  return freed;
}

Result<ImageStore::Removed> ImageStore::collect(std::uint64_t most_bytes, const os::CallLimit& limit) const {
  SW_TRY(const os::FileLock alone, os::FileLock::acquire(path("lock"), os::LockMode::exclusive, limit));
  const os::CallLimit work{limit.stop, std::max(limit.deadline, os::Clock::now() + std::chrono::minutes(1))};
  Removed removed;
  SW_TRY(removed.freed_bytes, remove_garbage(work));
  SW_TRY(std::vector<ListedImage> images, list());
  while (!images.empty() && total_bytes() > most_bytes) {
    ListedImage oldest = std::move(images.back());
    images.pop_back();
    SW_TRY(const bool gone, forget(oldest.id));
    if (!gone) continue;
    SW_TRY(const std::uint64_t freed, remove_garbage(work));
    removed.freed_bytes += freed;
    removed.images.push_back(std::move(oldest));
  }
  return removed;
}

Result<ImageStore::Removed> ImageStore::prune(std::uint64_t most_bytes, const os::CallLimit& limit) const {
  return collect(most_bytes, limit);
}

Result<ImageStore::Removed> ImageStore::remove(const std::string& which, const os::CallLimit& limit) const {
  SW_TRY(const os::FileLock alone, os::FileLock::acquire(path("lock"), os::LockMode::exclusive, limit));
  SW_TRY(const std::vector<ListedImage> images, list());
  const auto reference = parse_reference(which);
  const std::string text = reference ? reference->text() : which;
  std::vector<const ListedImage*> meant;
  constexpr std::size_t kFewest = 6;
  bool is_short = false;
  for (const ListedImage& image : images) {
    const bool by_name =
        std::any_of(image.names.begin(), image.names.end(), [&](const auto& name) { return name.first == text; });
    const bool by_id = image.id == which || image.id.starts_with("sha256:" + which);
    is_short = is_short || (by_id && which.size() < kFewest);
    if (by_name || (by_id && which.size() >= kFewest)) meant.push_back(&image);
  }
  if (meant.empty() && is_short) {
    return fail(ErrorKind::invalid,
                fmt::format("`{}`: of an image's id at least {} digits are needed", which, kFewest));
  }
  if (meant.empty()) return fail(ErrorKind::not_found, "there is no image `" + which + "` here");
  if (meant.size() > 1) return fail(ErrorKind::invalid, "`" + which + "` begins the ids of several images");
  SW_TRY(const bool gone, forget(meant.front()->id));
  if (!gone) return fail(ErrorKind::conflict, "a run uses the image `" + which + "`");
  Removed removed;
  removed.images.push_back(*meant.front());
  SW_TRY(removed.freed_bytes, remove_garbage(limit));
  return removed;
}

}  // namespace slipway::sandbox::rootfs
