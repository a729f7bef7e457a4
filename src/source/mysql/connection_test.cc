#include "source/mysql/connection.h"

#include <errmsg.h>
#include <gtest/gtest.h>
#include <mysqld_error.h>

namespace biwa::mysql {
namespace {

TEST(KindOfErrorTest, WhatANetworkOrARestartCausesIsTriedAgain) {
    for (const auto number :
         {CR_SERVER_LOST, CR_SERVER_GONE_ERROR, CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR,
          CR_SSL_CONNECTION_ERROR, CR_UNKNOWN_HOST, ER_SERVER_SHUTDOWN, ER_CON_COUNT_ERROR,
          ER_CONNECTION_KILLED, ER_TABLE_DEF_CHANGED, ER_LOCK_WAIT_TIMEOUT}) {
        EXPECT_EQ(KindOfError(static_cast<unsigned>(number)), ErrorKind::kUnavailable) << number;
    }
}

TEST(KindOfErrorTest, WhatTheSettingsCauseIsForAPerson) {
    for (const auto number : {ER_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_BAD_DB_ERROR,
                              ER_TABLEACCESS_DENIED_ERROR, ER_BAD_FIELD_ERROR}) {
        EXPECT_EQ(KindOfError(static_cast<unsigned>(number)), ErrorKind::kUser) << number;
    }
    EXPECT_EQ(KindOfError(ER_MASTER_FATAL_ERROR_READING_BINLOG), ErrorKind::kConflict);
}

}  // namespace
}  // namespace biwa::mysql
