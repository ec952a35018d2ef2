#include "source/s3_request.h"

#include <gtest/gtest.h>

#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::source {
namespace {

TEST(S3Account, IsFoundAsOtherClientsFindIt) {
  const os::TestDirectory home;
  ASSERT_TRUE(os::make_directories(home / ".aws", 0700));
  ASSERT_TRUE(os::replace_file(home / ".aws/credentials",
                               "[default]\naws_access_key_id = one\naws_secret_access_key = s1\n"
                               "[build]\naws_access_key_id = two\naws_secret_access_key = s2\n",
                               0600));
  ASSERT_TRUE(os::replace_file(home / ".aws/config",
                               "[default]\nregion = eu-west-1\n[profile build]\nregion = eu-north-1\n", 0600));
  const S3Account usual = s3_account({}, home.path());
  EXPECT_EQ(usual.key_id, "one");
  EXPECT_EQ(usual.region, "eu-west-1");
  EXPECT_EQ(usual.endpoint, "https://s3." + usual.region + ".amazonaws.com");
  const S3Account build =
      s3_account({{"AWS_PROFILE", "build"}, {"AWS_ENDPOINT_URL", "http://127.0.0.1:9000/"}}, home.path());
  EXPECT_EQ(build.secret, "s2");
  EXPECT_EQ(build.region, "eu-north-1");
  EXPECT_EQ(build.endpoint, "http://127.0.0.1:9000");
  const S3Account said = s3_account({{"AWS_ACCESS_KEY_ID", "three"}, {"AWS_SECRET_ACCESS_KEY", "s3"}}, home.path());
  EXPECT_EQ(said.key_id + said.secret, "threes3");
}

TEST(S3Request, WithoutAKeyIsNotSigned) {
  const SignedRequest request =
      sign({.bucket = "code", .key = "a b+/ü"}, {.endpoint = "http://h:1", .region = "r"}, from_micros(0));
  EXPECT_EQ(request.url, "http://h:1/code/a%20b%2B/%C3%BC");
  for (const std::string& header : request.headers) EXPECT_FALSE(header.starts_with("Authorization")) << header;
}

TEST(S3Request, NamesTheKeyAndNeverTheSecret) {
  const SignedRequest request = sign({.bucket = "code", .query = {{"prefix", "x/"}}},
                                     {.endpoint = "http://h:1", .region = "r", .key_id = "ID", .secret = "hidden"},
                                     from_micros(1'795'250'000'000'000));
  EXPECT_EQ(request.url, "http://h:1/code/?prefix=x%2F");
  const std::string& authorization = request.headers.back();
  EXPECT_TRUE(
      authorization.starts_with("Authorization: AWS4-HMAC-SHA256 Credential=ID/20261121/r/s3/aws4_request, "
                                "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="))
      << authorization;
  EXPECT_EQ(authorization.find("hidden"), std::string::npos);
}

TEST(S3Listing, IsReadPageByPage) {
  const auto page = parse_listing(
      "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated>"
      "<NextContinuationToken>t&amp;1</NextContinuationToken><Contents><Key>a&lt;b</Key><ETag>&quot;e1&quot;</ETag>"
      "<Size>12</Size></Contents><Contents><Key>c</Key><Size>0</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->objects.size(), 2U);
  EXPECT_EQ(page->objects[0].key, "a<b");
  EXPECT_EQ(page->objects[0].etag, "\"e1\"");
  EXPECT_EQ(page->objects[0].size, 12U);
  EXPECT_EQ(page->next, "t&1");
  EXPECT_EQ(parse_listing("<html>no</html>").error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace slipway::source
