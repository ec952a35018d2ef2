#include "sandbox/rootfs/image_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/scope_exit.h"
#include "os/files.h"
#include "os/unpack.h"
#include "sandbox/rootfs/skopeo.h"
#include "sandbox/rootfs/user.h"

namespace slipway::sandbox::rootfs {

namespace {

namespace fs = std::filesystem;
using Source = ImageReference::Source;

constexpr std::size_t kMostDocument = 8U << 20U, kMostNames = 10'000, kFetchLocks = 64;
constexpr std::uint64_t kMostEntries = 4'000'000;  // of one layer

std::string mib(std::uint64_t bytes) { return std::to_string((bytes + (1U << 19U)) >> 20U); }

std::uint64_t bytes_below(const fs::path& directory) {
  std::uint64_t total = 0;
  std::error_code gone;
  for (fs::recursive_directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    std::error_code vanished;
    if (const auto size = at->is_regular_file(vanished) ? at->file_size(vanished) : 0; !vanished) total += size;
  }
  return total;
}

// Changes when the file is written anew.
std::string token_of(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return {};
  return fmt::format("file:{}:{}:{}.{}", status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

// What tells whether a name still means the same, as far as that can be told for nothing; empty: it cannot.
std::string token_of(const ImageReference& reference) {
  if (reference.source == Source::docker_archive) return token_of(fs::path(reference.name));
  if (reference.source == Source::oci_layout) return token_of(fs::path(reference.name) / "index.json");
  return {};
}

void tell(const ImageProgress& progress, std::string text, std::uint64_t done = 0, std::uint64_t total = 0) {
  if (progress) progress({std::move(text), done, total});
}

}  // namespace

Result<ImageStore> ImageStore::open(StoreOptions options) {
  ImageStore store(std::move(options));
  for (const fs::path& directory :
       {store.options_.directory, store.path("blobs"), store.path("blobs/sha256"), store.path("records"),
        store.path("fetch"), store.path("locks"), store.layers_dir()}) {
    SW_CHECK(os::make_directories(directory, 0700));
  }
  return store;
}

fs::path ImageStore::record_path(std::string_view id) const { return path("records") / (digits_of(id) + ".json"); }
fs::path ImageStore::lock_path(std::string_view id) const { return path("records") / (digits_of(id) + ".lock"); }
fs::path ImageStore::blob_path(std::string_view digest) const { return path("blobs/sha256") / digits_of(digest); }
fs::path ImageStore::layer_path(std::string_view diff) const { return layers_dir() / digits_of(diff); }

KnownNames ImageStore::names() const {
  const auto text = os::read_file(path("names.json"), kMostDocument);
  if (!text) return {};
  return decode_names(*text).value_or(KnownNames{});  // broken: nothing is known; images are fetched again
}

Result<void> ImageStore::remember(const std::vector<std::string>& texts, const KnownName& known,
                                  const os::CallLimit& limit) const {
  SW_TRY(const os::FileLock lock, os::FileLock::acquire(path("names.lock"), os::LockMode::exclusive, limit));
  KnownNames all = names();
  if (all.size() >= kMostNames) all.clear();
  for (const std::string& text : texts) all[text] = known;
  return os::replace_file(path("names.json"), encode(all), 0600);
}

Result<ImageRecord> ImageStore::record(std::string_view id) const {
  SW_TRY(const std::string text, os::read_file(record_path(id), kMostDocument));
  return decode_record(text);
}

bool ImageStore::is_whole(const ImageRecord& record) const {
  return std::all_of(record.layers.begin(), record.layers.end(), [&](const ImageLayer& layer) {
    return ::access((layer_path(layer.diff) / "root").c_str(), F_OK) == 0;
  });
}

std::optional<KnownName> ImageStore::find(const ImageReference& reference) const {
  std::optional<KnownName> found;
  if (reference.source == Source::here) {
    found = KnownName{reference.digest, ""};
  } else {
    const KnownNames all = names();
    if (const auto at = all.find(reference.text()); at != all.end()) found = at->second;
  }
  if (!found || found->digest != (token_of(reference).empty() ? found->digest : token_of(reference))) return {};
  const auto kept = record(found->id);
  if (!kept || !is_whole(*kept)) return {};
  return found;
}

std::optional<std::string> ImageStore::known(const ImageReference& reference) const {
  const auto found = find(reference);
  if (!found) return {};
  return reference.source == Source::registry ? reference.name + "@" + found->digest : found->id;
}

Result<ReadyImage> ImageStore::use(const ImageReference& reference, const KnownName& known) const {
  SW_TRY(const ImageRecord kept, record(known.id));
  // Whoever removes images holds `lock` alone, and we hold it shared: this does not wait.
  SW_TRY(auto in_use, os::FileLock::try_acquire(lock_path(known.id), os::LockMode::shared));
  if (!in_use) return fail(ErrorKind::conflict, "image " + known.id + " is being removed");
  ::futimens(in_use->fd(), nullptr);
  ReadyImage ready{{}, {}, *std::move(in_use)};
  for (auto layer = kept.layers.rbegin(); layer != kept.layers.rend(); ++layer) {
    ready.layers.push_back((layer_path(layer->diff) / "root").string());
  }
  ImageFacts& facts = ready.facts;
  const bool named = reference.source == Source::registry;
  facts.image = named ? reference.name + "@" + known.digest : known.id;
  facts.digest = named ? known.digest : kept.manifest;
  facts.entrypoint = kept.config.entrypoint;
  facts.entrypoint.insert(facts.entrypoint.end(), kept.config.command.begin(), kept.config.command.end());
  facts.env = kept.config.env;
  facts.working_dir = kept.config.working_dir;
  SW_TRY(facts.user, numeric_user(kept.config.user, files_in(ready.layers)));
  return ready;
}

Result<ReadyImage> ImageStore::prepare(const ImageReference& reference, const ImageProgress& progress,
                                       const os::CallLimit& limit) const {
  std::optional<os::FileLock> adding;
  SW_TRY(adding, os::FileLock::acquire(path("lock"), os::LockMode::shared, limit));
  const bool may_be_old = options_.pull == Pull::always && !reference.is_pinned();
  if (!may_be_old) {
    if (const auto known = find(reference)) return use(reference, *known);
  }
  if (reference.source == Source::here)
    return fail(ErrorKind::not_found, "there is no image " + reference.text() + " here");
  if (options_.pull == Pull::never) return not_to_be_fetched();
  const std::size_t stripe = std::hash<std::string>()(reference.text()) % kFetchLocks;
  SW_TRY(const os::FileLock fetching,
         os::FileLock::acquire(path("locks") / std::to_string(stripe), os::LockMode::exclusive, limit));
  if (!may_be_old) {  // another may have fetched it in the meantime
    if (const auto known = find(reference)) return use(reference, *known);
  }
  std::string manifest;
  ImageReference exact = reference;
  if (reference.source == Source::registry) {
    tell(progress, reference.text() + ": asking " + std::string(reference.registry()));
    SW_TRY(manifest, ask_manifest(reference, limit));
    exact = {Source::registry, reference.name, "", digest_of(manifest)};
    if (reference.is_pinned() && exact.digest != reference.digest) {
      return fail(ErrorKind::invalid, "the registry gave something else than " + reference.digest);
    }
    if (const auto known = find(exact)) {
      SW_CHECK(remember({reference.text()}, *known, limit));
      return use(exact, *known);
    }
  }
  const std::uint64_t size = manifest.empty() ? 0 : size_of(exact, manifest, limit);
  SW_TRY(const KnownName known, fetch(reference, exact, size, progress, limit));
  SW_TRY(ReadyImage ready, use(reference, known));
  adding.reset();
  if (options_.most_bytes > 0 && total_bytes() > options_.most_bytes) {
    // Somebody else is at work: then the next fetch, or `slipway images prune`, does it.
    (void)collect(options_.most_bytes, os::within(std::chrono::milliseconds(0)));
  }
  return ready;
}

Result<KnownName> ImageStore::fetch(const ImageReference& reference, const ImageReference& exact, std::uint64_t size,
                                    const ImageProgress& progress, const os::CallLimit& limit) const {
  const std::string token = token_of(reference);  // before: what is written meanwhile is seen as newer
  const std::uint64_t most = options_.most_bytes > 0 ? options_.most_bytes : UINT64_MAX;
  const auto too_large = [&] {
    return fail(ErrorKind::exhausted, fmt::format("it is larger than images.size ({} MiB)", most >> 20U));
  };
  if (size > most) return too_large();
  const fs::path layout = path("fetch") / new_id();
  const ScopeExit remove([&] { (void)os::remove_tree(layout); });  // what is left is garbage, collected later
  const std::uint64_t before = bytes_below(path("blobs"));
  std::uint64_t told = UINT64_MAX;
  SW_CHECK(copy_to_layout(
      exact, layout, path("blobs"),
      [&]() -> Result<void> {
        const std::uint64_t now = bytes_below(path("blobs")) + bytes_below(layout);
        const std::uint64_t done = now > before ? now - before : 0;
        if (done > most) return too_large();
        if (mib(done) == mib(told)) return {};
        told = done;
        tell(progress, reference.text() + ": fetched " + mib(done) + (size > 0 ? " of " + mib(size) : "") + " MiB",
             done, size);
        return {};
      },
      limit));
  SW_TRY(const std::string index, os::read_file(layout / "index.json", kMostDocument));
  SW_TRY(const std::string manifest_digest, manifest_of_index(index));
  SW_TRY(const std::string manifest_text, os::read_file(blob_path(manifest_digest), kMostDocument));
  SW_TRY(const ManifestFacts manifest, read_manifest(manifest_text));
  SW_TRY(const std::string config_text, os::read_file(blob_path(manifest.config), kMostDocument));
  SW_TRY(ImageRecord made, read_config(config_text, manifest));
  made.manifest = manifest_digest;
  SW_CHECK(unpack_missing(made, reference.text(), progress, limit));
  SW_CHECK(os::replace_file(record_path(made.id), encode(made), 0600));
  const bool named = exact.is_pinned();
  const KnownName known{made.id, named ? exact.digest : token};
  SW_CHECK(remember(named ? std::vector{reference.text(), exact.text()} : std::vector{reference.text()}, known, limit));
  tell(progress, reference.text() + ": ready, " + (named ? exact.digest : made.id));
  return known;
}

Result<void> ImageStore::unpack_missing(const ImageRecord& record, const std::string& text,
                                        const ImageProgress& progress, const os::CallLimit& limit) const {
  std::size_t number = 0;
  std::uint64_t left = options_.most_bytes > 0 ? options_.most_bytes : UINT64_MAX / 2;
  for (const ImageLayer& layer : record.layers) {
    ++number;
    if (::access((layer_path(layer.diff) / "root").c_str(), F_OK) == 0) continue;
    tell(progress, fmt::format("{}: unpacking layer {} of {}", text, number, record.layers.size()), number,
         record.layers.size());
    const fs::path made = layers_dir() / ("tmp-" + new_id());
    ScopeExit undo([&] {
      (void)os::remove_unpacked(options_.unpack_program, made / "root", os::within(std::chrono::minutes(1)));
      (void)os::remove_tree(made);  // what is left is garbage, collected later
    });
    SW_CHECK(os::make_directories(made / "root", 0755));
    if (::chmod((made / "root").c_str(), 0755) != 0) return fail_errno(errno, "making a layer");
    SW_TRY(const os::Fd blob, os::open_file(blob_path(layer.blob), O_RDONLY | O_NOFOLLOW));
    os::UnpackOrder order;
    order.content = os::UnpackOrder::Content::layer;
    order.most_bytes = left;
    order.most_entries = kMostEntries;
    order.digest = true;
    auto unpacked = os::unpack(options_.unpack_program, blob.get(), made / "root", order, limit);
    if (!unpacked) return wrap(unpacked.error(), fmt::format("layer {}", number));
    // Layers are shared by this digest: what bore it falsely would become part of other images.
    if (unpacked->digest != layer.diff) {
      return fail(ErrorKind::invalid, fmt::format("layer {} is not what the image says it is", number));
    }
    left -= std::min(left, unpacked->bytes);
    SW_CHECK(os::replace_file(made / "bytes", std::to_string(unpacked->bytes), 0600));
    SW_TRY(const os::Fd directory, os::open_file(made, O_RDONLY | O_DIRECTORY));
    if (::syncfs(directory.get()) != 0) return fail_errno(errno, "writing a layer to the disk");
    if (::rename(made.c_str(), layer_path(layer.diff).c_str()) == 0) {
      undo.release();
    } else if (errno != EEXIST && errno != ENOTEMPTY) {  // else another image brought it in the meantime
      return fail_errno(errno, "keeping a layer");
    }
  }
  return {};
}

}  // namespace slipway::sandbox::rootfs
