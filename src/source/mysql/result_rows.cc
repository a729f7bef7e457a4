#include "source/mysql/result_rows.h"

#include <fmt/format.h>

#include <cstring>

#include "base/text.h"

namespace biwa::mysql {

namespace {

// Of large values few are in memory at a time.
constexpr std::size_t kBlockBytesMax = 8 << 20;

// A row of so many bytes is mostly strings: copied as a whole it costs less than one by one.
constexpr std::size_t kKeptWhole = 512;

// How the server sends values of a type in a prepared statement's rows.
ValueSize SizeOf(enum_field_types type) {
    using Form = ValueSize::Form;
    switch (type) {
        case MYSQL_TYPE_TINY:
            return {Form::kFixed, 1};
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_YEAR:
            return {Form::kFixed, 2};
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_FLOAT:
            return {Form::kFixed, 4};
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_DOUBLE:
            return {Form::kFixed, 8};
        case MYSQL_TYPE_DATE:
        case MYSQL_TYPE_TIME:
        case MYSQL_TYPE_DATETIME:
        case MYSQL_TYPE_TIMESTAMP:
            return {Form::kPrefix, 1};
        default:
            return {Form::kPacked, 0};
    }
}

}  // namespace

ResultRows::ResultRows(Connection connection, std::vector<ColumnDecoder> decoders,
                       std::string doing, GiveBack give_back,
                       std::atomic<std::uint64_t>* unrepresentable)
    : connection_(std::move(connection)),
      decoders_(std::move(decoders)),
      doing_(std::move(doing)),
      give_back_(std::move(give_back)),
      unrepresentable_(unrepresentable),
      statement_(mysql_stmt_init(connection_->raw())) {}

ResultRows::~ResultRows() {
    if (!connection_) return;
    // What is still to be sent would have to be read first: the connection goes instead.
    connection_.reset();
    statement_.reset();
    give_back_(std::nullopt);
}

Result<std::unique_ptr<ResultRows>> ResultRows::Open(Connection connection, const std::string& sql,
                                                     std::vector<ColumnDecoder> decoders,
                                                     std::string doing, GiveBack give_back,
                                                     std::atomic<std::uint64_t>* unrepresentable) {
    std::unique_ptr<ResultRows> rows(new ResultRows(std::move(connection), std::move(decoders),
                                                    std::move(doing), std::move(give_back),
                                                    unrepresentable));
    BIWA_TRY(rows->Execute(sql));
    return rows;
}

Error ResultRows::StatementError() const {
    return Error{KindOfError(mysql_stmt_errno(statement_.get())),
                 fmt::format("{}: {}", doing_, HidePasswords(mysql_stmt_error(statement_.get()))),
                 ""};
}

Status ResultRows::Execute(const std::string& sql) {
    auto* const statement = statement_.get();
    if (statement == nullptr) return Unavailable(doing_ + ": out of memory");
    if (mysql_stmt_prepare(statement, sql.data(), static_cast<unsigned long>(sql.size())) != 0) {
        return tl::unexpected(StatementError());
    }
    BIWA_TRY(CheckFields());
    if (mysql_stmt_execute(statement) != 0) return tl::unexpected(StatementError());
    return {};
}

Status ResultRows::CheckFields() {
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> fields(
        mysql_stmt_result_metadata(statement_.get()), mysql_free_result);
    if (!fields || mysql_num_fields(fields.get()) != decoders_.size()) {
        return Corrupt(doing_ + ": the server sends other columns than were asked for");
    }
    for (std::size_t i = 0; i < decoders_.size(); ++i) {
        const auto& field = *mysql_fetch_field_direct(fields.get(), static_cast<unsigned>(i));
        const auto sent = SizeOf(field.type);
        const auto& known = decoders_[i].result_size;
        if (sent.form == known.form && sent.bytes == known.bytes) continue;
        // The next attempt begins with the types that there are then.
        return Unavailable(fmt::format("{}: column {} has another type than a moment ago", doing_,
                                       decoders_[i].info.name));
    }
    return {};
}

// Row by row from the library's buffer. mysql_stmt_fetch would go through the columns once more, by
// calls, for each row.
Result<bool> ResultRows::ReadRow(RowBlock& block, std::size_t row) {
    constexpr char kRow = 0, kEnd = static_cast<char>(0xfe);
    constexpr std::size_t kEndMax = 8;  // bytes; a longer one is a row
    auto* const connection = connection_->raw();
    const auto size = mysql_net_read_packet(connection);
    if (size == packet_error) return tl::unexpected(connection_->LastError(doing_));
    std::string_view rest(reinterpret_cast<const char*>(connection->net.read_pos), size);
    if (size > 0 && size <= kEndMax && rest[0] == kEnd) {
        // What mysql_stmt_fetch would say: the connection can take the next statement.
        connection->status = MYSQL_STATUS_READY;
        return false;
    }
    // A zero byte; a bit a column, from the third on, 1 when it is NULL; the values.
    const auto nulls = (decoders_.size() + 2 + 7) / 8;
    if (size < 1 + nulls || rest[0] != kRow) return Corrupt(doing_ + ": a row is cut off");
    const auto* const is_null = rest.data() + 1;
    rest.remove_prefix(1 + nulls);
    context_.kept = {};
    if (rest.size() >= kKeptWhole) {
        auto* const kept = arena_.Allocate(rest.size());
        std::memcpy(kept, rest.data(), rest.size());
        context_.kept = rest = {kept, rest.size()};
    }
    for (std::size_t i = 0; i < decoders_.size(); ++i) {
        auto& cells = block.columns[i];
        if ((static_cast<unsigned char>(is_null[(i + 2) / 8]) >> ((i + 2) % 8) & 1) != 0) {
            cells.SetNull(row);
            continue;
        }
        const auto& decoder = decoders_[i];
        std::string_view value;
        if (!TakeValue(decoder.result_size, rest, value) ||
            !decoder.result(decoder, value, cells, row, context_)) {
            return Corrupt(fmt::format("{}: column {} of a row is no {}", doing_, decoder.info.name,
                                       ToSql(decoder.type)));
        }
    }
    return true;
}

Result<std::size_t> ResultRows::Fill(RowBlock& block) {
    if (ended_) return std::size_t{0};
    arena_.Clear();
    context_.arena = &arena_;
    std::size_t row = 0;
    while (row < kBlockRows && arena_.bytes() < kBlockBytesMax) {
        if (!BIWA_TRY(ReadRow(block, row))) {
            ended_ = true;
            statement_.reset();
            auto connection = std::move(*connection_);
            connection_.reset();
            give_back_(std::move(connection));
            break;
        }
        ++row;
    }
    if (unrepresentable_ != nullptr) {
        *unrepresentable_ += std::exchange(context_.unrepresentable, 0);
    }
    return row;
}

}  // namespace biwa::mysql
