#include <gtest/gtest.h>

#include "executor/image.h"

namespace cce::executor {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string Layer(const std::string& digest = kDigest, const std::string& size = "10") {
  return R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")" + digest +
         R"(","size":)" + size + "}";
}

std::string ManifestText(const std::string& layers, const std::string& more = "") {
  return R"({"schemaVersion":2,"config":{"digest":")" + kDigest + R"(","size":7},"layers":[)" +
         layers + "]" + more + "}";
}

std::string Code(const std::string& text, ImageLimits limits = {}) {
  auto r = ParseManifest(AsBytes(text), limits);
  return r ? "ok" : r.error().code;
}

TEST(Manifest, Reads) {
  auto r = ParseManifest(AsBytes(ManifestText(Layer() + "," + Layer())), {});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->layers.size(), 2u);
  EXPECT_EQ(r->layers[0].size, 10u);
  EXPECT_EQ(r->config.digest, kDigest);
}

TEST(Manifest, Refuses) {
  EXPECT_EQ(Code("[]"), "image.unsupported");
  EXPECT_EQ(Code("{"), "input.malformed");
  EXPECT_EQ(Code(ManifestText("")), "image.too_large");
  EXPECT_EQ(Code(ManifestText(Layer(), R"(,"manifests":[])")), "image.unsupported");
  EXPECT_EQ(
      Code(ManifestText(Layer(), R"(,"mediaType":"application/vnd.oci.image.index.v1+json")")),
      "image.unsupported");
  EXPECT_EQ(Code(ManifestText(Layer("sha512:" + std::string(128, 'a')))), "image.unsupported");
  EXPECT_EQ(Code(ManifestText(Layer("sha256:" + std::string(64, '/')))), "image.unsupported");
  EXPECT_EQ(Code(ManifestText(Layer(kDigest, "-1"))), "image.unsupported");
  EXPECT_EQ(Code(ManifestText(Layer(kDigest, "1e30"))), "image.unsupported");
  EXPECT_EQ(Code(ManifestText(R"({"digest":")" + kDigest + R"(","size":1,"urls":["http://x/"]})")),
            "image.unsupported");
}

TEST(Manifest, BoundsSizes) {
  EXPECT_EQ(Code(ManifestText(Layer() + "," + Layer()), {.max_compressed = 26}), "image.too_large");
  EXPECT_EQ(Code(ManifestText(Layer() + "," + Layer()), {.max_compressed = 27}), "ok");
  EXPECT_EQ(Code(ManifestText(Layer(kDigest, "9223372036854775807") + "," +
                              Layer(kDigest, "9223372036854775807"))),
            "image.too_large");
  EXPECT_EQ(Code(ManifestText(Layer() + "," + Layer()), {.max_layers = 1}), "image.too_large");
}

TEST(ImageConfig, Reads) {
  auto r = ParseImageConfig(AsBytes(
      R"({"os":"linux","architecture":"amd64","history":[],"config":{"Env":["A=b"],"Cmd":["x"],)"
      R"("Entrypoint":null,"User":"ann","WorkingDir":"work","Labels":{"k":"v"}}})"));
  ASSERT_TRUE(r);
  EXPECT_EQ(r->command, std::vector<std::string>{"x"});
  EXPECT_TRUE(r->entrypoint.empty());
  EXPECT_EQ(r->user, "ann");
  EXPECT_EQ(r->working_folder, "/work");
}

TEST(ImageConfig, Refuses) {
  const auto code = [](std::string_view text) {
    auto r = ParseImageConfig(AsBytes(text));
    return r ? "ok" : r.error().code;
  };
  EXPECT_EQ(code(R"({"os":"linux","architecture":"arm64"})"), "image.unsupported");
  EXPECT_EQ(code(R"({"os":"linux","architecture":"amd64","config":{"Cmd":"sh"}})"),
            "image.unsupported");
  EXPECT_EQ(code(R"({"os":"linux","architecture":"amd64","config":{"Cmd":["a\u0000b"]}})"),
            "image.unsupported");
  EXPECT_EQ(code(R"({"os":"linux","architecture":"amd64"})"), "ok");
}

TEST(PullImage, RefusesBadReferences) {
  const auto code = [](const std::string& registry, const std::string& repository,
                       const std::string& digest) {
    auto r = PullImage({.registry = registry,
                        .repository = repository,
                        .digest = digest,
                        .work_folder = "/nowhere"});
    return r ? "ok" : r.error().code;
  };
  EXPECT_EQ(code("127.0.0.1", "a", kDigest), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:x", "a", kDigest), "image.bad_reference");
  EXPECT_EQ(code("-x:1", "a", kDigest), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:1", "A", kDigest), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:1", "../a", kDigest), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:1", "a/", kDigest), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:1", "a@b", kDigest), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:1", "a", "latest"), "image.bad_reference");
  EXPECT_EQ(code("127.0.0.1:1", "a", "sha256:" + std::string(64, 'A')), "image.bad_reference");
}

}  // namespace
}  // namespace cce::executor
