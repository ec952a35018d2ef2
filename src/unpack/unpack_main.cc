// slipway-unpack: reads an archive on stdin and makes its entries in the directory at descriptor 3. Not for people:
// os/unpack.h starts it, and says what it answers on stdout.
#include <charconv>
#include <clocale>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "os/files.h"
#include "unpack/archive_reader.h"
#include "unpack/confinement.h"

namespace slipway::unpack {
namespace {

constexpr int kTarget = 3;

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') result += '\\';
    result += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return result;
}

std::uint64_t number(const char* text) {
  const std::string_view view(text);
  std::uint64_t value = 0;
  std::from_chars(view.data(), view.data() + view.size(), value);
  return value;
}

Result<void> empty(const Confined& confined) {
  constexpr const char* kTop = "/t";  // confinement.h: the target alone is there
  (void)confined;
  SW_TRY(const std::vector<std::string> names, os::list_directory(kTop));
  for (const std::string& name : names) SW_CHECK(os::remove_tree(std::filesystem::path(kTop) / name));
  return {};
}

Result<std::string> fill(Confined confined, char** arguments) {
  const bool layer = std::string_view(arguments[0]) == "layer";
  Policy policy;
  policy.content = layer ? Policy::Content::layer : Policy::Content::source;
  policy.owners = layer ? confined.owners : Owners::all_callers;
  policy.strip = static_cast<std::uint32_t>(number(arguments[1]));
  policy.most_bytes = number(arguments[2]);
  policy.most_entries = number(arguments[3]);
  policy.mark_opaque = layer && confined.owners != Owners::as_written;
  ReadLimits limits;
  limits.most_ratio = static_cast<std::uint32_t>(std::max<std::uint64_t>(number(arguments[4]), 1));
  limits.digest = std::string_view(arguments[5]) == "digest";
  limits.most_stream = policy.most_bytes + policy.most_entries * 2048;
  TreeWriter tree(std::move(confined.target), policy);
  SW_TRY(const std::string digest, unpack_archive(0, limits, policy.content, tree));
  std::string report = "entries " + std::to_string(tree.entries()) + "\nbytes " + std::to_string(tree.bytes()) +
                       "\nleft_out " + std::to_string(tree.left_out()) + "\n";
  if (!digest.empty()) report += "digest " + digest + "\n";
  for (const std::string& path : tree.opaque()) report += "opaque " + escaped(path) + "\n";
  return report;
}

Result<std::string> work(int count, char** arguments) {
  const std::string_view what = count > 0 ? arguments[0] : "";
  const bool fills = count == 6 && (what == "layer" || what == "source");
  if (!fills && what != "empty") {
    return fail(ErrorKind::invalid, "slipway-unpack is run by slipway");
  }
  std::setlocale(LC_CTYPE, "C.UTF-8");  // before the machine is out of sight: names are UTF-8
  SW_TRY(Confined confined, confine(kTarget));
  if (fills) return fill(std::move(confined), arguments);
  SW_CHECK(empty(confined));
  return std::string();
}

}  // namespace
}  // namespace slipway::unpack

int main(int argc, char** argv) {
  slipway::Result<std::string> report;
  try {
    report = slipway::unpack::work(argc - 1, argv + 1);
  } catch (const std::bad_alloc&) {  // its memory has a limit
    report = slipway::fail(slipway::ErrorKind::exhausted, "the archive needs too much memory");
  }
  if (!report) {
    report = "error " + std::string(to_string(report.error().kind)) + " " +
             slipway::unpack::escaped(report.error().what) + "\n";
    (void)slipway::os::write_all(1, *report);  // nobody reads: the exit code says it as well
    return 1;
  }
  return slipway::os::write_all(1, *report) ? 0 : 1;
}
