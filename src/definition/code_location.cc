#include <algorithm>

#include <fmt/format.h>

#include "base/paths.h"
#include "definition/values.h"

namespace slipway::definition {

std::optional<model::CodeLocation> Values::code_of(Node* node, std::string_view key) {
  if (node == nullptr) return std::nullopt;
  const Fields fields(*find_key(kWorkflowContext, key)->shape->context, node);
  model::CodeLocation code;
  code.place = place(*node);
  Node* url = fields.get("url");
  Node* ref = fields.get("ref");
  Node* path = fields.get("path");
  code.url = text_of(url);
  code.path = text_of(path);
  if (auto made = template_of(ref)) code.ref = *std::move(made);
  const bool has_bad = std::ranges::any_of(node->entries, [](const Node::Entry& e) { return e.value->bad; });
  if (url != nullptr) check_code_url(*url);
  if (path != nullptr) check_code_path(*path);
  if (has_bad) return code;
  if (url == nullptr && ref != nullptr) {
    source_.report(*ref, "E064", fmt::format("`ref` of `{}` without a `url`", key),
                   "the checkout is the one that this file lies in, as it is");
  } else if (url == nullptr && path == nullptr) {
    source_.report(*node, "E064", fmt::format("`{}` names no place", key), "add `url` or `path`");
  }
  return code;
}

// What a file says is in everybody's history: a login does not belong there.
void Values::check_code_url(Node& url) {
  const std::string_view text = url.text;
  const std::size_t scheme_end = text.find("://");
  const std::size_t first_slash = text.find('/');
  const std::size_t colon = text.find(':');
  const bool is_remote = colon != std::string_view::npos && colon > 0 && colon < first_slash;
  if (!is_remote && !text.starts_with('/')) {
    source_.report(url, "E064", fmt::format("`{}` is no URL and no absolute path", text));
    return;
  }
  if (scheme_end == std::string_view::npos) return;
  const std::string_view host = text.substr(scheme_end + 3, text.find_first_of("/?#", scheme_end + 3) - scheme_end - 3);
  const std::size_t at = host.rfind('@');
  if (at == std::string_view::npos) return;
  // Of ssh the user alone is no secret; of http it may be a token.
  const bool is_http = text.substr(0, scheme_end).find("http") != std::string_view::npos;
  if (is_http || host.substr(0, at).find(':') != std::string_view::npos) {
    source_.report(url, "E064", "a URL with a login in a file that everybody reads",
                   "leave it out: git's credential helpers are asked");
  }
}

void Values::check_code_path(Node& path) {
  if (is_clean_relative(path.text)) return;
  source_.report(path, "E064", fmt::format("`{}` is no path below the checkout", path.text),
                 "names with `/` between them, without `.` and `..`");
}

}  // namespace slipway::definition
