#include "dataset/ciphertext_store.h"

namespace cce::dataset {

Result<> ObjectWriter::Write(ByteView bytes) {
  digest_.Update(bytes);
  size_ += bytes.size();
  return DoWrite(bytes);
}

Result<StoredObject> ObjectWriter::Commit() {
  const StoredObject object{.name = digest_.Finish(), .size = size_};
  TRY(DoCommit(object.name));
  return object;
}

Result<StoredObject> PutObject(CiphertextStore& store, ByteView bytes) {
  ASSIGN_OR_RETURN(const auto writer, store.NewObject(bytes.size()));
  TRY(writer->Write(bytes));
  return writer->Commit();
}

}  // namespace cce::dataset
