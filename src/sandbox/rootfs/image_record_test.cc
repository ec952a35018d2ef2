#include "sandbox/rootfs/image_record.h"

#include <gtest/gtest.h>

namespace slipway::sandbox::rootfs {
namespace {

const std::string kA = "sha256:" + std::string(64, 'a'), kB = "sha256:" + std::string(64, 'b'),
                  kC = "sha256:" + std::string(64, 'c');

std::string manifest_with(const std::string& layer) {
  return R"({"config":{"digest":")" + kA + R"("},"layers":[{"digest":")" + layer + R"(","size":7}]})";
}

std::string config_with(const std::string& diffs) {
  return R"({"os":"linux","config":{"Env":["A=b=c","=x","y"],"User":"app","Entrypoint":["/e"],"Cmd":["1"],)"
         R"("WorkingDir":"/w"},"rootfs":{"diff_ids":[)" +
         diffs + "]}}";
}

TEST(ImageRecord, IsReadFromManifestAndConfigurationAndKeptAsItIs) {
  const auto manifest = read_manifest(manifest_with(kB));
  ASSERT_TRUE(manifest) << manifest.error().what;
  EXPECT_EQ(manifest->bytes, 7U);
  auto record = read_config(config_with('"' + kC + '"'), *manifest);
  ASSERT_TRUE(record) << record.error().what;
  record->manifest = kB;
  const auto again = decode_record(encode(*record));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->id, kA);
  ASSERT_EQ(again->layers.size(), 1U);
  EXPECT_EQ(again->layers[0].diff, kC);
  EXPECT_EQ(again->layers[0].blob, kB);
  EXPECT_EQ(again->config.env, (std::vector<std::pair<std::string, std::string>>{{"A", "b=c"}}));
  EXPECT_EQ(again->config.user, "app");
}

TEST(ImageRecord, NothingButADigestBecomesPartOfAPath) {
  for (const std::string& text : {std::string(), std::string("sha256:../../x"), "sha256:" + std::string(63, 'a') + "/",
                                  "sha256:" + std::string(64, 'A'), "sha512:" + std::string(64, 'a'), kA + "a"}) {
    EXPECT_FALSE(is_digest(text)) << text;
    EXPECT_FALSE(read_manifest(manifest_with(text))) << text;
  }
}

TEST(ImageRecord, LayersThatDoNotMatchAreRefused) {
  const ManifestFacts manifest = read_manifest(manifest_with(kB)).value();
  EXPECT_FALSE(read_config(config_with(""), manifest));
  EXPECT_FALSE(read_config(config_with(R"("sha256:x")"), manifest));
  EXPECT_FALSE(read_config(R"({"os":"windows"})", manifest));
}

TEST(ImageRecord, BrokenDocumentsAreErrorsAndBrokenNamesNothing) {
  for (const char* text : {"", "[]", "{", "{\"manifests\":[]}", "{\"manifests\":[1]}", "{\"config\":1,\"layers\":2}"}) {
    EXPECT_FALSE(manifest_of_index(text)) << text;
    EXPECT_FALSE(read_manifest(text)) << text;
    EXPECT_FALSE(decode_record(text)) << text;
    EXPECT_EQ(manifest_for_this_machine(text), "") << text;
  }
  EXPECT_EQ(decode_names(R"({"a":1,"b":{"id":"x"},"c":{"id":")" + kA + R"(","digest":"t"}})").value().size(), 1U);
}

TEST(ImageRecord, AnIndexTellsTheManifestOfThisMachine) {
  const std::string index = R"({"manifests":[{"digest":")" + kC +
                            R"(","platform":{"os":"linux","architecture":"s390x"}},)" + R"({"digest":")" + kA +
                            R"(","platform":{"os":"linux","architecture":"amd64"}},)" + R"({"digest":")" + kB +
                            R"(","platform":{"os":"linux","architecture":"arm64"}}]})";
#if defined(__x86_64__)
  EXPECT_EQ(manifest_for_this_machine(index), kA);
#elif defined(__aarch64__)
  EXPECT_EQ(manifest_for_this_machine(index), kB);
#endif
}

TEST(ImageRecord, ADocumentsDigestIsThatOfItsBytes) {
  EXPECT_EQ(digest_of("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace slipway::sandbox::rootfs
