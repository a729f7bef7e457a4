// The server's character sets, by its own conversions.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "source/mysql/catalog.h"

namespace biwa::mysql {

namespace {

// What the server makes of each of `codes`, of `size` bytes in this character set, as UTF-8. Each
// is converted by itself: of what is no character MariaDB makes a question mark, MySQL makes all
// NULL.
Result<std::vector<std::string>> Convert(const Connection& connection, const std::string& set,
                                         const std::vector<std::uint32_t>& codes,
                                         std::size_t size) {
    constexpr std::size_t kAtOnce = 1000;  // columns; the servers allow 4,096
    std::vector<std::string> converted;
    for (std::size_t first = 0; first < codes.size(); first += kAtOnce) {
        const auto end = std::min(first + kAtOnce, codes.size());
        std::string sql = "SELECT ";
        for (auto i = first; i < end; ++i) {
            fmt::format_to(std::back_inserter(sql),
                           "{}COALESCE(CONVERT(CONVERT(X'{:0{}X}' USING {}) USING utf8mb4),'')",
                           i == first ? "" : ",", codes[i], 2 * size, set);
        }
        const auto rows = BIWA_TRY(connection.Query(sql));
        for (std::size_t i = 0; i < end - first; ++i) converted.push_back(rows.Text(0, i));
    }
    return converted;
}

Status AddLonger(const Connection& connection, const std::vector<std::uint32_t>& codes,
                 std::size_t size, CharacterSet& set) {
    const auto converted = BIWA_TRY(Convert(connection, set.name, codes, size));
    for (std::size_t i = 0; i < codes.size(); ++i) {
        std::string_view rest = converted[i];
        const auto character = TakeCharacter(rest);
        // Two characters: those of single bytes, or a byte that is none and one that is.
        if (!character.empty() && rest.empty()) set.longer[codes[i]] = character;
    }
    return {};
}

Result<CharacterSet> Load(const Connection& connection, const std::string& name,
                          std::int64_t bytes_max) {
    CharacterSet set;
    set.name = name;
    if (name == "utf8mb4" || name == "utf8mb3" || name == "utf8" || name == "ascii") return set;
    if (name == "ucs2" || name == "utf16") {
        set.form = CharacterSet::Form::kUtf16;
        return set;
    }
    if (name == "utf16le") {
        set.form = CharacterSet::Form::kUtf16Le;
        return set;
    }
    if (name == "utf32") {
        set.form = CharacterSet::Form::kUtf32;
        return set;
    }
    if (bytes_max > 3) {
        return UserError(fmt::format("text in the character set {} cannot be read", name),
                         "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4");
    }
    set.form = CharacterSet::Form::kTable;
    std::vector<std::uint32_t> bytes(256);
    std::iota(bytes.begin(), bytes.end(), 0U);
    const auto converted = BIWA_TRY(Convert(connection, name, bytes, 1));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        set.single[i] = converted[i].empty() ? "?" : converted[i];
    }
    if (bytes_max >= 2) {
        std::vector<std::uint32_t> codes;
        for (std::uint32_t lead = 0x80; lead <= 0xff; ++lead) {
            for (std::uint32_t trail = 0x30; trail <= 0xff; ++trail) {
                codes.push_back(lead << 8 | trail);
            }
        }
        BIWA_TRY(AddLonger(connection, codes, 2, set));
    }
    if (bytes_max >= 3) {
        // ujis and eucjpms: characters of JIS X 0212, behind 0x8f.
        std::vector<std::uint32_t> codes;
        for (std::uint32_t second = 0xa1; second <= 0xfe; ++second) {
            for (std::uint32_t third = 0xa1; third <= 0xfe; ++third) {
                codes.push_back(0x8f0000 | second << 8 | third);
            }
        }
        BIWA_TRY(AddLonger(connection, codes, 3, set));
    }
    return set;
}

}  // namespace

Result<std::shared_ptr<const CharacterSet>> CharacterSets::Find(const Connection& connection,
                                                                const std::string& name) {
    if (name == "binary") return std::shared_ptr<const CharacterSet>();
    const auto found = sets_.find(name);
    if (found != sets_.end()) return found->second;
    const auto bytes = BIWA_TRY(connection.Query(
        "SELECT MAXLEN FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = " +
        connection.Literal(name)));
    if (bytes.empty()) {
        return Corrupt(fmt::format("the server does not know its character set {}", name));
    }
    auto set = BIWA_TRY(Load(connection, name, bytes.Number(0, 0)));
    return sets_[name] = std::make_shared<const CharacterSet>(std::move(set));
}

Result<std::shared_ptr<const CharacterSet>> CharacterSets::FindByCollation(
    const Connection& connection, std::uint16_t collation) {
    if (names_.empty()) {
        // Newer MariaDB has collations that are numbered for each character set, and only here.
        auto rows = connection.Query(
            "SELECT ID, CHARACTER_SET_NAME FROM "
            "information_schema.COLLATION_CHARACTER_SET_APPLICABILITY");
        if (!rows) {
            rows = connection.Query(
                "SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATIONS");
        }
        if (!rows) return tl::unexpected(rows.error());
        for (std::size_t i = 0; i < rows->size(); ++i) {
            names_[static_cast<std::uint16_t>(rows->Number(i, 0))] = rows->Text(i, 1);
        }
    }
    const auto name = names_.find(collation);
    if (name == names_.end()) {
        return Corrupt(fmt::format("the server does not know its collation {}", collation));
    }
    return Find(connection, name->second);
}

}  // namespace biwa::mysql
