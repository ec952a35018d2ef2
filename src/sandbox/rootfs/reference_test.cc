#include "sandbox/rootfs/reference.h"

#include <gtest/gtest.h>

namespace slipway::sandbox::rootfs {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(Reference, IsReadAsDockerReadsIt) {
  const std::pair<std::string, std::string> kCases[] = {
      {"debian", "docker.io/library/debian:latest"},
      {"debian:12", "docker.io/library/debian:12"},
      {"postgres:15-alpine", "docker.io/library/postgres:15-alpine"},
      {"owner/name", "docker.io/owner/name:latest"},
      {"docker.io/debian", "docker.io/library/debian:latest"},
      {"index.docker.io/owner/name:1", "docker.io/owner/name:1"},
      {"localhost/a", "localhost/a:latest"},
      {"localhost:5000/a/b-c__d:x_Y.z", "localhost:5000/a/b-c__d:x_Y.z"},
      {"127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"},
      {"[::1]:5000/a", "[::1]:5000/a:latest"},
      {"ghcr.io/a/b@" + kDigest, "ghcr.io/a/b@" + kDigest},
      {"ghcr.io/a/b:tag@" + kDigest, "ghcr.io/a/b@" + kDigest},
      {"oci:/srv/layout", "oci:/srv/layout"},
      {"oci:/srv/layout:v1", "oci:/srv/layout:v1"},
      {"docker-archive:/srv/image.tar", "docker-archive:/srv/image.tar"},
      {"docker-daemon:app", "docker-daemon:docker.io/library/app:latest"},
      {kDigest, kDigest},
  };
  for (const auto& [text, meant] : kCases) {
    const auto read = parse_reference(text);
    ASSERT_TRUE(read) << text << ": " << read.error().what;
    EXPECT_EQ(read->text(), meant);
    const auto again = parse_reference(read->text());
    ASSERT_TRUE(again) << meant;
    EXPECT_EQ(again->text(), meant);
  }
}

TEST(Reference, WhatIsNoNameIsRefused) {
  for (const std::string& text : {std::string(),
                                  std::string("Debian"),
                                  std::string("debian:"),
                                  std::string("debian:a b"),
                                  std::string("-x"),
                                  std::string("a//b"),
                                  std::string("a/../b"),
                                  std::string("a..b"),
                                  std::string("a___b"),
                                  std::string("debian:-x"),
                                  std::string("a@sha256:12"),
                                  "a@md5:" + std::string(32, 'a'),
                                  std::string("oci:relative"),
                                  std::string("docker-archive:a.tar"),
                                  std::string("--policy"),
                                  std::string("./x"),
                                  std::string("a\nb"),
                                  std::string(5000, 'a'),
                                  std::string(300, 'a'),
                                  std::string("host:port/a"),
                                  std::string("oci:/a@b"),
                                  "docker-daemon:a@" + kDigest}) {
    const auto read = parse_reference(text);
    EXPECT_FALSE(read) << text << " → " << read->text();
  }
}

}  // namespace
}  // namespace slipway::sandbox::rootfs
