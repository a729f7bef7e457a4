require("@team/plain").tagAll("all");
