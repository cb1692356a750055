// What docs/formats/protocol.md promises: its vectors were made by software that is not this
// project's.
#include <gtest/gtest.h>

#include "crypto/format_vectors.h"
#include "crypto/hpke.h"
#include "protocol/credential.h"
#include "protocol/dataset_policy.h"
#include "protocol/identity.h"
#include "protocol/job_api.h"
#include "protocol/job_spec.h"
#include "protocol/key_release.h"
#include "protocol/launch_document.h"
#include "protocol/result_submission.h"
#include "protocol/sign_in.h"

namespace cce::protocol {
namespace {

const FormatVectors& V() {
  static const FormatVectors vectors("protocol.md");
  return vectors;
}

Bytes TextBytes(const std::string& name) { return ToBytes(V().Text(name)); }

template <size_t N>
ByteArray<N> Array(const std::string& name) {
  return *ToArray<N>(V().Hex(name));
}

ReportData KeysBinding() {
  return KeysReportData(Array<32>("challenge"), Array<16>("request_id"), V().Hex("cvm_public_key"),
                        V().Text("credential"), crypto::kHpkeSuite);
}

TEST(ProtocolVectors, IdentityDocument) {
  const Bytes bytes = TextBytes("identity_document");
  const auto document = DecodeIdentity(bytes);
  ASSERT_TRUE(document) << FormatError(document.error());
  EXPECT_EQ(EncodeIdentity(*document), bytes);
  EXPECT_EQ(ToHex(IdentityHash(bytes)), V().Text("identity_hash"));
  EXPECT_EQ(ToHex(IdentityReportData(Array<32>("challenge"), bytes)),
            V().Text("identity_report_data"));
}

TEST(ProtocolVectors, Policy) {
  const Bytes bytes = TextBytes("policy_document");
  const auto policy = DecodePolicy(bytes);
  ASSERT_TRUE(policy) << FormatError(policy.error());
  EXPECT_EQ(ToHex(PolicyHash(bytes)), V().Text("policy_hash"));
  EXPECT_EQ(PolicySummary(*policy), V().Text("policy_summary"));
  EXPECT_EQ(policy->dataset, (Array<20>("dataset")));
  EXPECT_EQ(policy->images.size(), 1u);
}

TEST(ProtocolVectors, SignInResources) {
  EXPECT_EQ(IdentityResource(Array<32>("identity_hash")), V().Text("identity_resource"));
  EXPECT_EQ(JobResource(Array<32>("job_spec_hash")), V().Text("job_resource"));
  EXPECT_EQ(UploadResource(Array<20>("dataset"), Array<16>("draft")), V().Text("upload_resource"));
  EXPECT_EQ(OwnerResource(Array<20>("dataset")), V().Text("owner_resource"));
}

TEST(ProtocolVectors, JobSpec) {
  const Bytes bytes = TextBytes("job_spec");
  const auto spec = DecodeJobSpec(bytes);
  ASSERT_TRUE(spec) << FormatError(spec.error());
  EXPECT_EQ(EncodeJobSpec(*spec), bytes);
  EXPECT_EQ(ToHex(JobSpecHash(bytes)), V().Text("job_spec_hash"));
}

TEST(ProtocolVectors, Credentials) {
  const auto identity = Array<65>("identity_public_key");
  for (const auto& [token, claims, purpose] :
       {std::tuple("credential", "credential_claims", CredentialPurpose::kKeys),
        std::tuple("submit_credential", "submit_claims", CredentialPurpose::kSubmit)}) {
    const auto read = VerifyCredential(V().Text(token), identity, purpose);
    ASSERT_TRUE(read) << FormatError(read.error());
    EXPECT_EQ(*crypto::JwtVerify(V().Text(token), kCredentialType, identity), V().Text(claims));
    EXPECT_EQ(read->job, (Array<16>("job")));
    EXPECT_EQ(ToHex(read->job_spec), V().Text("job_spec_hash"));
  }
}

TEST(ProtocolVectors, LaunchDocument) {
  const Bytes bytes = TextBytes("launch_document");
  const auto document = DecodeLaunchDocument(bytes);
  ASSERT_TRUE(document) << FormatError(document.error());
  EXPECT_EQ(EncodeLaunchDocument(*document), bytes);
  EXPECT_EQ(document->credential, V().Text("credential"));
  EXPECT_EQ(ToHex(LaunchDocumentMrConfigId(bytes)), V().Text("launch_mrconfigid"));
  EXPECT_EQ(ToHex(LaunchDocumentHostData(bytes)), V().Text("launch_host_data"));
}

TEST(ProtocolVectors, KeyBundle) {
  EXPECT_EQ(ToHex(KeysBinding()), V().Text("keys_report_data"));
  const auto cvm = crypto::P256PrivateKey::Derive(V().Hex("cvm_seed"));
  ASSERT_TRUE(cvm);
  EXPECT_EQ(ToHex(cvm->public_key()), V().Text("cvm_public_key"));
  const KeysReply reply{.envelope = V().Hex("envelope"),
                        .identity_key = Array<65>("identity_public_key"),
                        .signature = Array<64>("bundle_signature")};
  const auto opened = OpenKeyBundle(reply, *cvm, KeysBinding(), Array<32>("identity_key_id"));
  ASSERT_TRUE(opened) << FormatError(opened.error());
  EXPECT_EQ(ToHex(EncodeKeyBundle(*opened).Expose()), V().Text("bundle"));
  EXPECT_EQ(ToHex(opened->rek.Expose()), V().Text("rek_attempt_1"));
  EXPECT_EQ(ToHex(opened->datasets.at(0).keys.at(0).dek.Expose()), V().Text("dek_epoch_1"));
  EXPECT_EQ(opened->storage_token, V().Text("storage_token"));
  EXPECT_EQ(opened->submit_credential, V().Text("submit_credential"));
}

TEST(ProtocolVectors, Result) {
  const auto spec = DecodeJobSpec(TextBytes("job_spec"));
  ASSERT_TRUE(spec);
  const Bytes sealed = V().Hex("sealed_output");
  const auto opened = crypto::OpenStream(
      V().Hex("rek_attempt_1"), OutputContext(Array<16>("job"), 1, spec->datasets), sealed, 1024);
  ASSERT_TRUE(opened) << FormatError(opened.error());
  EXPECT_EQ(ToHex(opened->Expose()), V().Text("output_plaintext"));
  EXPECT_FALSE(crypto::OpenStream(
      V().Hex("rek_attempt_1"), OutputContext(Array<16>("job"), 2, spec->datasets), sealed, 1024));
  EXPECT_EQ(ToHex(crypto::Sha256(sealed)), V().Text("sealed_output_sha256"));
  EXPECT_EQ(ToHex(ResultReportData({.challenge = Array<32>("challenge"),
                                    .job = Array<16>("job"),
                                    .attempt = 1,
                                    .credential = V().Text("submit_credential"),
                                    .public_key = Array<65>("cvm_public_key"),
                                    .output = Array<32>("sealed_output_sha256")})),
            V().Text("result_report_data"));
}

TEST(ProtocolVectors, Delivery) {
  const auto consumer = crypto::P256PrivateKey::Derive(V().Hex("consumer_seed"));
  ASSERT_TRUE(consumer);
  const Bytes info = RekInfo(Array<16>("job"), 1, Array<32>("sealed_output_sha256"));
  EXPECT_EQ(ToHex(info), V().Text("rek_info"));
  const auto rek = crypto::HpkeOpen(*consumer, info, {}, V().Hex("rek_envelope"));
  ASSERT_TRUE(rek) << FormatError(rek.error());
  EXPECT_EQ(ToHex(rek->Expose()), V().Text("rek_attempt_1"));
}

}  // namespace
}  // namespace cce::protocol
