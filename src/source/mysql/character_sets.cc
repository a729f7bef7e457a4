// The server's character sets, by its own conversions.
#include <fmt/format.h>

#include "source/mysql/catalog.h"

namespace biwa::mysql {

namespace {

// What the server makes of `bytes`, in this character set, as UTF-8.
Result<std::string> Convert(const Connection& connection, const std::string& set,
                            const std::string& bytes) {
    std::string hex;
    hex.reserve(bytes.size() * 2);
    constexpr char kDigits[] = "0123456789ABCDEF";
    for (const char c : bytes) {
        hex += kDigits[static_cast<unsigned char>(c) >> 4];
        hex += kDigits[static_cast<unsigned char>(c) & 15];
    }
    const auto rows = BIWA_TRY(connection.Query(
        fmt::format("SELECT CONVERT(CONVERT(X'{}' USING {}) USING utf8mb4)", hex, set)));
    return rows.Text(0, 0);
}

// Each code on a line of its own, so that what is no character cannot shift the others.
Status AddLonger(const Connection& connection, const std::vector<std::uint32_t>& codes,
                 std::size_t size, CharacterSet& set) {
    std::string lines;
    for (const auto code : codes) {
        for (std::size_t i = size; i > 0; --i) lines += static_cast<char>(code >> (8 * (i - 1)));
        lines += '\n';
    }
    const auto converted = BIWA_TRY(Convert(connection, set.name, lines));
    std::string_view rest = converted;
    for (const auto code : codes) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos) {
            return Corrupt("the server's conversion of " + set.name + " is cut off");
        }
        auto line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        const auto character = TakeCharacter(line);
        // Two characters: those of single bytes, or a byte that is none and one that is.
        if (!character.empty() && line.empty()) set.longer[code] = character;
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
    for (int code = 0; code < 256; ++code) {
        const auto converted =
            BIWA_TRY(Convert(connection, name, std::string(1, static_cast<char>(code))));
        set.single[static_cast<std::size_t>(code)] = converted.empty() ? "?" : converted;
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
