#include <algorithm>
#include <map>
#include <set>

#include "cli/report_parts.h"

namespace slipway::cli::report {

namespace {

constexpr std::size_t kMostNodes = 400;
constexpr int kWidth = 190, kHeight = 46, kBetween = 64, kBelow = 14;
constexpr std::size_t kLongestName = 22;  // characters that fit into a node

struct Node {
  std::string name;
  std::set<std::string> depends_on;
  std::vector<const JobEntry*> jobs;
  int layer = 0;
  double place = 0;  // within its layer
  int x = 0, y = 0;
};

// The worst of its instances decides.
Mark mark_of_node(const Node& node) {
  constexpr Mark kByWeight[] = {Mark::running,      Mark::failed,          Mark::timed_out,
                                Mark::infra_failed, Mark::allowed_failure, Mark::cancelled,
                                Mark::succeeded,    Mark::pending,         Mark::skipped};
  for (const Mark mark : kByWeight) {
    if (std::ranges::any_of(node.jobs, [&](const JobEntry* job) { return mark_of(*job) == mark; })) return mark;
  }
  return Mark::pending;
}

std::string state_of(const Node& node) {
  Time first = Time::max(), last{};
  std::map<std::string, std::size_t> counts;
  for (const JobEntry* job : node.jobs) {
    ++counts[state_text(*job)];
    if (job->finished > job->started) first = std::min(first, job->started);
    last = std::max(last, job->finished);
  }
  std::string text;
  for (const auto& [state, count] : counts) {
    if (!text.empty()) text += ", ";
    text += node.jobs.size() == 1 ? state : fmt::format("{} {}", count, state);
  }
  if (last > first) text += fmt::format(" in {}", to_short_text(last - first));
  return text;
}

std::vector<Node> nodes_of(const RunEntry& run) {
  std::vector<Node> nodes;
  std::map<std::string, std::size_t> by_name;
  for (const JobEntry& job : run.jobs) {
    const std::string& name = job.definition.empty() ? job.name : job.definition;
    const auto [at, is_new] = by_name.try_emplace(name, nodes.size());
    if (is_new) nodes.push_back({.name = name, .depends_on = {}, .jobs = {}});
    nodes[at->second].depends_on.insert(job.depends_on.begin(), job.depends_on.end());
    nodes[at->second].jobs.push_back(&job);
  }
  return nodes;
}

// By the longest way from the start; what depends on itself in a circle (a damaged store) ends where it is.
void set_layers(std::vector<Node>& nodes, const std::map<std::string, std::size_t>& by_name) {
  for (std::size_t round = 0, moved = 1; moved > 0 && round <= nodes.size(); ++round) {
    moved = 0;
    for (Node& node : nodes) {
      for (const std::string& name : node.depends_on) {
        const auto found = by_name.find(name);
        if (found == by_name.end() || nodes[found->second].layer < node.layer) continue;
        node.layer = nodes[found->second].layer + 1;
        ++moved;
      }
    }
  }
}

// Each beside the middle of what it depends on, so that few lines cross.
void set_places(std::vector<Node>& nodes, const std::map<std::string, std::size_t>& by_name) {
  std::map<int, std::vector<Node*>> layers;
  for (Node& node : nodes) layers[node.layer].push_back(&node);
  for (auto& [layer, members] : layers) {
    for (Node* node : members) {
      double sum = 0;
      int count = 0;
      for (const std::string& name : node->depends_on) {
        const auto found = by_name.find(name);
        if (found == by_name.end()) continue;
        sum += nodes[found->second].place;
        ++count;
      }
      node->place = count == 0 ? 0 : sum / count;
    }
    std::ranges::stable_sort(members, {}, [](const Node* node) { return node->place; });
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i]->place = static_cast<double>(i);
      members[i]->x = layer * (kWidth + kBetween) + 1;
      members[i]->y = static_cast<int>(i) * (kHeight + kBelow) + 1;
    }
  }
}

std::string shortened(const std::string& name) {
  return display_width(printable(name, Colour::strip)) <= kLongestName
             ? printable(name, Colour::strip)
             : fit(printable(name, Colour::strip), kLongestName);
}

}  // namespace

std::string graph_svg(const RunEntry& run) {
  std::vector<Node> nodes = nodes_of(run);
  if (nodes.size() < 2 || nodes.size() > kMostNodes) return {};
  std::map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < nodes.size(); ++i) by_name.emplace(nodes[i].name, i);
  set_layers(nodes, by_name);
  set_places(nodes, by_name);
  int width = 0, height = 0;
  for (const Node& node : nodes) {
    width = std::max(width, node.x + kWidth + 1);
    height = std::max(height, node.y + kHeight + 1);
  }
  std::string svg = fmt::format(
      "<svg class=\"graph\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
      "aria-label=\"jobs and what they depend on\">\n",
      width, height);
  for (const Node& node : nodes) {
    for (const std::string& name : node.depends_on) {
      const auto found = by_name.find(name);
      if (found == by_name.end()) continue;
      const Node& from = nodes[found->second];
      const int x1 = from.x + kWidth, y1 = from.y + kHeight / 2, x2 = node.x, y2 = node.y + kHeight / 2;
      svg += fmt::format("<path d=\"M{} {}C{} {} {} {} {} {}\"/>\n", x1, y1, x1 + kBetween / 2, y1, x2 - kBetween / 2,
                         y2, x2, y2);
    }
  }
  for (const Node& node : nodes) {
    const Mark mark = mark_of_node(node);
    svg += fmt::format(
        "<a href=\"#job-{}\"><g class=\"{}\"><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" "
        "height=\"{}\" rx=\"8\"/>",
        static_cast<std::size_t>(node.jobs.front() - run.jobs.data()), class_of(mark), html(node.name), node.x, node.y,
        kWidth, kHeight);
    svg += fmt::format("<text x=\"{}\" y=\"{}\">{} {}{}</text>", node.x + 12, node.y + 19, symbol(mark, false),
                       html(shortened(node.name)),
                       node.jobs.size() > 1 ? fmt::format(" ×{}", node.jobs.size()) : std::string());
    svg += fmt::format("<text class=\"soft\" x=\"{}\" y=\"{}\">{}</text></g></a>\n", node.x + 12, node.y + 36,
                       html(fit(state_of(node), 28)));
  }
  return svg + "</svg>\n";
}

}  // namespace slipway::cli::report
