#include "model/trust.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/paths.h"

namespace slipway::model {

namespace {

// An absolute pattern's part before its first wildcard: what it can name lies below.
std::string_view plain_part(std::string_view pattern) {
  const std::size_t wild = pattern.find_first_of("*?[{");
  return wild == std::string_view::npos ? pattern : pattern.substr(0, pattern.rfind('/', wild) + 1);
}

bool meets(const JobSpec& job, const std::string& path, const std::vector<std::string>& shares) {
  if (path.starts_with('!')) return false;  // it only takes away
  if (!path.starts_with('/')) return true;  // below the working directory, which source writes
  const std::string_view plain = plain_part(path);
  const auto overlaps = [&](std::string_view directory) {
    return lies_below(plain, directory) || lies_below(directory, plain);
  };
  // Where the sandboxes of source write, and where files arrive that they hand over.
  return overlaps(job.workspace + "/src") || overlaps(job.workspace + std::string(kFromSource)) ||
         std::ranges::any_of(shares, overlaps);
}

bool may_write(const JobSpec& job, const std::vector<std::string>& paths, const std::vector<std::string>& shares) {
  if (job.source_trust == Trust::trusted && job.text_trust == Trust::trusted) return false;
  if (may_run_source(job)) return true;
  return std::ranges::any_of(paths, [&](const std::string& path) { return meets(job, path, shares); });
}

// All but `host` and a registry's names. Docker takes hexadecimal digits alone for the beginning of an id.
bool is_of_this_machine(std::string_view image) {
  if (image == "host") return false;
  constexpr std::string_view kKinds[] = {"/", ".", "oci:", "docker-archive:", "docker-daemon:", "sha256:"};
  return image.find_first_not_of("0123456789abcdef") == std::string_view::npos ||
         std::ranges::any_of(kKinds, [&](std::string_view kind) { return image.starts_with(kind); });
}

}  // namespace

Trust trust_of(const Event& event) {
  return event.pull_request && event.pull_request->fork ? Trust::untrusted : Trust::trusted;
}

bool holds_secrets(const JobSpec& job) {
  return !job.secrets.empty() ||
         std::ranges::any_of(job.steps, [](const StepSpec& step) { return !step.secrets.empty(); });
}

bool may_run_source(const JobSpec& job) {
  return job.text_trust == Trust::untrusted || (job.source_trust == Trust::untrusted && !job.separated);
}

std::optional<std::string> job_code_directory(const JobSpec& job) {
  if (job.ci_code) return job.workspace + "/ci";
  if (job.source_trust == Trust::untrusted && job.text_trust == Trust::trusted) return std::nullopt;
  return job.workspace + "/src";
}

bool may_be_of_source(const JobSpec& job, std::string_view artifact, const std::vector<std::string>& shares) {
  const auto declared = std::ranges::find(job.artifacts, artifact, &ArtifactSpec::name);
  if (declared != job.artifacts.end()) return may_write(job, declared->paths, shares);
  // What a job leaves in the one place for it; any other that is not declared is of a path that only its step knew.
  return may_write(job, {artifact == kArtifactOfDirectory ? job.workspace + "/artifacts" : ""}, shares);
}

bool may_be_of_source(const JobSpec& job, const CacheSpec& cache, const std::vector<std::string>& shares) {
  return may_write(job, cache.paths, shares);
}

Result<void> check_secrets_beside_source(const JobSpec& job) {
  if (!holds_secrets(job) || job.secrets_with_source || job.text_trust == Trust::trusted) return {};
  return fail(
      ErrorKind::denied,
      "untrusted source would run beside secrets: the text of its steps, or its job code, is of a fork's pull request. "
      "Name a workflow file of yours, which may run the fork's code by `run_as: source` or `slipway sandbox`; keep job "
      "code "
      "apart by `ci_code`; give the job no secrets; or accept it by --accept-risk secrets-with-source");
}

Result<void> check_code_places(const JobSpec& job) {
  if (job.text_trust == Trust::trusted) return {};
  if ((job.ci_code && !job.ci_code->url.empty()) || (job.source_code && !job.source_code->url.empty())) {
    return fail(ErrorKind::denied,
                "the text of a fork's pull request cannot choose another place for code, which would be fetched with "
                "your rights; name a workflow of your own");
  }
  if ((job.image_of_text && is_of_this_machine(job.image)) ||
      std::ranges::any_of(job.services, [](const ServiceSpec& service) { return is_of_this_machine(service.image); })) {
    return fail(
        ErrorKind::denied,
        "the text of a fork's pull request may name `host` and images of registries, as `debian:12`, and no directory, "
        "layout, archive or id of an image on this machine, whose files it would get; name a workflow of your own, or "
        "give the image by --image");
  }
  return {};
}

Result<void> check_tainted_input(const JobSpec& job, std::string_view what) {
  if (!holds_secrets(job) || job.secrets_with_source) return {};
  return fail(
      ErrorKind::denied,
      fmt::format("{} may be written by untrusted source, and the job holds secrets: build and use it in one job, "
                  "by steps that say `run_as: source`, or accept that by --accept-risk secrets-with-source",
                  what));
}

}  // namespace slipway::model
