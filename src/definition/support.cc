#include "definition/support.h"

#include <fmt/format.h>

#include "model/trust.h"

namespace slipway::definition {

namespace {

class SupportCheck {
 public:
  SupportCheck(const model::Workflow& workflow, const BuildSupport& support) : workflow_(workflow), support_(support) {}

  std::vector<Problem> run() {
    if (!support_.job_code && workflow_.ci_code)
      refuse(workflow_.ci_code->place, "E103", "job code from another place cannot be used yet");
    if (!support_.job_code && workflow_.source_code)
      refuse(workflow_.source_code->place, "E103", "source from another place cannot be used yet");
    for (const model::JobDefinition& job : workflow_.jobs) check(job);
    sort_problems(problems_);
    return std::move(problems_);
  }

 private:
  void refuse(const model::Place& place, std::string_view code, std::string message, std::string hint = {}) {
    problems_.push_back({std::string(code), Severity::error, place, std::move(message), std::move(hint), 0});
  }

  static model::Place place_of(const model::JobDefinition& job, const std::string& key) {
    const auto found = job.places.find(key);
    return found == job.places.end() ? job.place : found->second;
  }

  void check(const model::JobDefinition& job) {
    for (const model::Service& service : job.services) {
      if (!service.image.is_literal()) continue;
      if (auto problem = image_problem(service.image.literal(), service.image.place, support_))
        problems_.push_back(std::move(*problem));
    }
    if (support_.job_images && job.image && job.image->is_literal()) {
      if (auto problem = image_problem(job.image->literal(), place_of(job, "image"), support_))
        problems_.push_back(std::move(*problem));
    }
    for (const char* key : {"ci_code", "source_code"}) {
      const bool used = std::string_view(key) == "ci_code" ? job.ci_code.has_value() : job.source_code.has_value();
      if (!support_.job_code && used)
        refuse(place_of(job, key), "E103", fmt::format("`{}` of job `{}` cannot be used yet", key, job.name));
    }
    for (const model::StepDefinition& step : job.steps) {
      if (support_.source_steps || !step.run_as || step.run_as->kind != model::RunAs::Kind::source) continue;
      refuse(
          step.place, "E105",
          fmt::format("step `{}` wants to run as `source`, in a sandbox of its own with another user id, which cannot "
                      "be made here",
                      step.name),
          "`--backend native` makes it, where slipway runs as root");
    }
    if (!support_.devices && !job.devices.empty())
      refuse(place_of(job, "devices"), "E106",
             fmt::format("job `{}` wants devices, which cannot be given yet", job.name));
    note(job, "labels", !job.labels.empty() && !support_.worker_choice);
    note(job, "priority", job.priority.has_value() && !support_.worker_choice);
    note(job, "kubernetes", job.kubernetes.has_value() && !support_.kubernetes);
  }

  void note(const model::JobDefinition& job, const std::string& key, bool without_effect) {
    if (!without_effect) return;
    problems_.push_back({"E110", Severity::note, place_of(job, key),
                         fmt::format("`{}` of job `{}` has no effect here", key, job.name), "", 0});
  }

  const model::Workflow& workflow_;
  const BuildSupport& support_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> unsupported(const model::Workflow& workflow, const BuildSupport& support) {
  return SupportCheck(workflow, support).run();
}

std::optional<Problem> trust_problem(const model::JobSpec& job, const model::Place& place) {
  if (const auto allowed = model::check_code_places(job); !allowed)
    return Problem{"E113", Severity::error, place, allowed.error().what, "", 0};
  if (const auto allowed = model::check_secrets_beside_source(job); !allowed)
    return Problem{"E111", Severity::error, place, allowed.error().what, "", 0};
  return std::nullopt;
}

std::optional<Problem> tainted_problem(const model::JobSpec& job, std::string_view what, const model::Place& place) {
  const auto allowed = model::check_tainted_input(job, what);
  if (allowed) return std::nullopt;
  return Problem{"E112", Severity::error, place, allowed.error().what, "", 0};
}

std::optional<Problem> image_problem(const std::string& image, const model::Place& place, const BuildSupport& support) {
  const bool of_host = image == "host" || image.starts_with('/');
  if (of_host && !support.host_files) {
    return Problem{"E102",
                   Severity::error,
                   place,
                   fmt::format("the image `{}` is of this machine's files, which Docker does not run", image),
                   "an image's name (`image: debian:12`, or --image), or take `--backend native`",
                   0};
  }
  if ((image.starts_with("oci:") || image.starts_with("docker-archive:")) && !support.image_files) {
    return Problem{"E102",
                   Severity::error,
                   place,
                   fmt::format("the image `{}` lies in files of this machine, which Docker does not run", image),
                   fmt::format("its name in Docker, once `skopeo copy {} docker-daemon:NAME:TAG` has put it there, or "
                               "take `--backend native`",
                               image),
                   0};
  }
  if (of_host || support.named_images) return std::nullopt;
  return Problem{"E102",
                 Severity::error,
                 place,
                 fmt::format("the image `{}` cannot be run yet", image),
                 "`host`, or a directory that holds a root file system; `--backend docker` runs images by name",
                 0};
}

}  // namespace slipway::definition
