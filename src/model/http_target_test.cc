#include "model/http_target.h"

#include <gtest/gtest.h>

namespace slipway::model {
namespace {

TEST(HttpTarget, TakesAnAddressApart) {
  const auto target = http_target("http://localhost:8080/health?x=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->port, 8080);
  EXPECT_EQ(target->path, "/health?x=1");
  EXPECT_EQ(target->host, "localhost:8080");
  ASSERT_TRUE(http_target("http://localhost"));
  EXPECT_EQ(http_target("http://localhost")->path, "/");
  for (const char* bad : {"", "localhost", "https://localhost", "http://", "http://:80", "http://a:x", "http://a:99999",
                          "http://a/\r\nX: y", "http://a b"}) {
    EXPECT_FALSE(http_target(bad)) << bad;
  }
}

}  // namespace
}  // namespace slipway::model
