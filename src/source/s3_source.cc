#include "source/s3_source.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/hashed_name.h"
#include "base/text.h"
#include "base/wall_clock.h"
#include "source/git_command.h"
#include "source/git_mirror.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostObjects = 200'000;
constexpr std::size_t kBatch = 200;  // objects a curl
constexpr std::string_view kEtag = "etag:", kList = "list:";

struct Place {
  std::string bucket, key;
};

Result<Place> place_of(const std::string& location) {
  constexpr std::string_view kScheme = "s3://";
  std::string_view rest = location;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  Place place{std::string(rest.substr(0, slash)), std::string(rest.substr(std::min(slash + 1, rest.size())))};
  if (place.bucket.empty() ||
      place.bucket.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") != std::string::npos) {
    return fail(ErrorKind::invalid, "`" + printable(location, Colour::strip) + "` is no place in S3: s3://BUCKET/KEY");
  }
  return place;
}

// Below the prefix, and nowhere else on this machine.
Result<std::string> file_name_of(std::string_view key) {
  for (const std::string_view part : split(key, '/')) {
    const bool control = std::ranges::any_of(part, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (part.empty() || part == "." || part == ".." || control) {
      return fail(ErrorKind::denied, "the key `" + printable(key, Colour::strip) + "` is no name of a file");
    }
  }
  return std::string(key);
}

std::string with_slash(std::string prefix) {
  if (!prefix.empty() && !prefix.ends_with('/')) prefix.push_back('/');
  return prefix;
}

std::string digest_of(const std::vector<S3Object>& objects) {
  std::string text;
  for (const S3Object& object : objects) text += fmt::format("{}\n{}\n{}\n", object.key, object.etag, object.size);
  return std::string(kList) + sha256_hex(text);
}

Error explained(Error error, const S3Account& account, const Place& place) {
  error.what = fmt::format("s3://{}/{} at {}: {}", place.bucket, place.key, redact(account.endpoint), error.what);
  if (error.kind == ErrorKind::denied && account.key_id.empty()) {
    error.what += " (no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)";
  }
  if (error.what.find("error: 412") != std::string::npos) {
    error = {ErrorKind::conflict, error.what + ": the object has changed since the run began"};
  }
  return error;
}

std::string transfer(const SignedRequest& request, const fs::path& output, bool head) {
  std::string text = "url = " + curl_quoted(request.url) + "\nfail\nsilent\nshow-error\nproto = \"=http,https\"\n";
  for (const std::string& header : request.headers) text += "header = " + curl_quoted(header) + "\n";
  if (!output.empty()) text += "create-dirs\noutput = " + curl_quoted(output.string()) + "\n";
  if (head) text += "head\n";
  return text;
}

ToolCall curl(std::string transfers) {
  ToolCall call;
  call.argv = {"curl", "--globoff"};
  call.network = ToolCall::Network::host;
  call.home = {{".curlrc", std::move(transfers)}};  // signatures are for nobody else to see
  return call;
}

}  // namespace

Result<std::string> S3Source::ask(const S3Request& request, const os::CallLimit& limit) {
  const S3Account account = account_();
  auto answer =
      run_tool(runner_, curl(transfer(sign(request, account, wall_now()), {}, request.method == "HEAD")), limit);
  if (!answer) return std::unexpected(explained(answer.error(), account, {request.bucket, request.key}));
  return answer;
}

Result<std::string> S3Source::etag_of(const std::string& bucket, const std::string& key, const os::CallLimit& limit) {
  SW_TRY(const std::string headers, ask({.method = "HEAD", .bucket = bucket, .key = key}, limit));
  for (const std::string_view line : split(headers, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != 4 || (line.substr(0, 4) != "ETag" && line.substr(0, 4) != "etag" && line.substr(0, 4) != "Etag"))
      continue;
    return std::string(trim(line.substr(colon + 1)));
  }
  return fail(ErrorKind::invalid, "the storage names no ETag for " + key + ": its content cannot be pinned");
}

Result<std::vector<S3Object>> S3Source::list(const std::string& bucket, const std::string& prefix,
                                             const os::CallLimit& limit) {
  std::vector<S3Object> objects;
  std::string next;
  std::uint64_t bytes = 0;
  do {
    S3Request request{.bucket = bucket, .query = {{"list-type", "2"}, {"prefix", prefix}}};
    if (!next.empty()) request.query["continuation-token"] = next;
    SW_TRY(const std::string answer, ask(request, limit));
    SW_TRY(S3Listing page, parse_listing(answer));
    next = std::move(page.next);
    for (S3Object& object : page.objects) {
      if (!object.key.starts_with(prefix)) return fail(ErrorKind::denied, "the storage lists what was not asked for");
      if (object.key.ends_with('/')) continue;  // stands for a directory
      bytes += object.size;
      objects.push_back(std::move(object));
    }
    if (objects.size() > std::min<std::uint64_t>(kMostObjects, most_.files) || bytes > most_.bytes) {
      return fail(ErrorKind::exhausted,
                  fmt::format("s3://{}/{} holds more than a source may have: see source.limit", bucket, prefix));
    }
  } while (!next.empty());
  if (objects.empty()) return fail(ErrorKind::not_found, "nothing below s3://" + bucket + "/" + prefix);
  std::ranges::sort(objects, {}, &S3Object::key);
  return objects;
}

Result<void> S3Source::download(const std::vector<Download>& all, const fs::path& below, const os::CallLimit& limit) {
  const S3Account account = account_();
  for (std::size_t begin = 0; begin < all.size(); begin += kBatch) {
    std::string transfers;
    for (std::size_t i = begin; i < std::min(begin + kBatch, all.size()); ++i) {
      if (i > begin) transfers += "next\n";
      transfers += transfer(sign(all[i].request, account, wall_now()), all[i].file, false);
    }
    ToolCall call = curl(std::move(transfers));
    call.argv.insert(call.argv.end(), {"--parallel", "--parallel-max", "16", "--fail-early"});
    call.directory = below;
    call.writable = {below};
    const auto done = run_tool(runner_, call, limit);
    if (!done) return std::unexpected(explained(done.error(), account, {all[begin].request.bucket, "..."}));
  }
  return {};
}

Result<void> S3Source::download_tree(const std::string& bucket, const std::string& prefix,
                                     const std::vector<S3Object>& objects, const fs::path& directory,
                                     const os::CallLimit& limit) {
  std::vector<Download> all;
  for (const S3Object& object : objects) {
    SW_TRY(const std::string name, file_name_of(std::string_view(object.key).substr(prefix.size())));
    Download one{{.bucket = bucket, .key = object.key}, directory / name};
    if (!object.etag.empty()) one.request.headers["if-match"] = object.etag;
    all.push_back(std::move(one));
  }
  return download(all, directory, limit);
}

Result<SourceSpec> S3Source::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(const Place place, place_of(spec.location));
  SourceSpec pinned = spec;
  if (spec.revision.starts_with(kEtag) || spec.revision.starts_with(kList)) return pinned;
  if (!spec.revision.empty()) {
    return fail(ErrorKind::invalid, "S3 has no revision `" + printable(spec.revision, Colour::strip) +
                                        "`: leave it out, or say etag:ETAG or list:DIGEST");
  }
  if (is_archive_name(place.key)) {
    SW_TRY(const std::string etag, etag_of(place.bucket, place.key, limit));
    pinned.revision = std::string(kEtag) + etag;
    return pinned;
  }
  SW_TRY(const auto objects, list(place.bucket, with_slash(place.key), limit));
  pinned.revision = digest_of(objects);
  return pinned;
}

Result<Prepared> S3Source::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SW_TRY(const SourceSpec spec, pin(given, limit));
  SW_TRY(const Place place, place_of(spec.location));
  const std::string key = hashed_name({account_().endpoint, spec.location, spec.revision});
  const auto fetch_object = [&](const fs::path& file) -> Result<void> {
    S3Request request{.bucket = place.bucket, .key = place.key};
    request.headers["if-match"] = spec.revision.substr(kEtag.size());
    return download({{request, file}}, file.parent_path(), limit);
  };
  const auto make = [&](const fs::path& building) -> Result<std::string> {
    if (spec.revision.starts_with(kEtag)) return archives_.take(fetch_object);  // the note says which archive it is
    const std::string prefix = with_slash(place.key);
    SW_TRY(const auto objects, list(place.bucket, prefix, limit));
    if (digest_of(objects) != spec.revision) {
      return fail(ErrorKind::conflict, "what lies below " + spec.location + " has changed since the run began");
    }
    SW_CHECK(download_tree(place.bucket, prefix, objects, building, limit));
    return std::string();
  };
  std::string digest;
  const auto remember = [&](const fs::path&, const std::string& note) {
    digest = note;
    return true;
  };
  SW_TRY(CheckoutStore::Kept kept, checkouts_.get("s3-" + key, make, remember, limit));
  if (!digest.empty()) {
    SW_TRY(kept, archives_.tree(digest, fetch_object, limit));
  }
  return Prepared{.directory = kept.directory,
                  .owner = static_cast<std::uint32_t>(::geteuid()),
                  .sha = spec.revision,
                  .branch = {},
                  .url = spec.location,
                  .git_dir = {},
                  .in_use = std::move(kept.in_use)};
}

}  // namespace slipway::source
