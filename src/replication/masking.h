// Masks on blocks of cells.
//
// The text of a value is what PostgreSQL prints for it (model/format.h), so that a hash can be
// computed elsewhere and equal values of different columns and types have the same one:
//
//   hash(value) = lower-case hex of HMAC-SHA-256(key, UTF-8 text of the value); NULL stays NULL
#pragma once

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/mask.h"
#include "model/row_store.h"
#include "model/rows.h"
#include "model/table.h"

namespace biwa {

// HMAC-SHA-256 by one key. Used by one thread; a copy for another is cheap.
class KeyedHash {
  public:
    explicit KeyedHash(std::string_view key);
    KeyedHash(const KeyedHash& other);
    KeyedHash& operator=(const KeyedHash&) = delete;

    std::array<unsigned char, 32> Digest(std::string_view text);
    static constexpr std::size_t kHexBytes = 64;
    // Writes kHexBytes.
    void Hex(std::string_view text, char* hex);

  private:
    std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context_;
};

// The type that a column has once it is masked. kUser: the mask is not for values of this type.
Result<Type> MaskedType(const Mask& mask, const Type& type);
// What rows from before the column was added have in it, masked.
std::optional<std::string> MaskedFill(const Mask& mask, const Column& column, KeyedHash& hash);

// Masks the first `rows` cells of `from`, which has the column's own type, into `to`, which has the
// masked one and may be `from` where both are the same. Long strings go to `arena`, or stay where
// they are.
void MaskCells(const Mask& mask, const Cells& from, std::size_t rows, Cells& to, Arena& arena,
               KeyedHash& hash);
// The same within a store: the column gets the masked type. Not kDrop.
void MaskColumn(const Mask& mask, std::size_t column, RowStore& rows, KeyedHash& hash);

}  // namespace biwa
