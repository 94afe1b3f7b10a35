"""Shandong: the province's interface of instant issuance.

One source; codes of one province are its own, not a standard's.
"""

from __future__ import annotations

from typing import Final

from kaguan.cms.rules.adapters.standing import Standing
from kaguan.cms.rules.adapters.table import CodeTable, Row, missing
from kaguan.cms.rules.applying import AgentRelation
from kaguan.cms.rules.terms import Answer, Bank, Certificate, Channel, Sex

DIALECT: Final = "Shandong"

KZT: Final = CodeTable(
    DIALECT,
    "kzt",
    "card state 卡状态; a cancelled card is 3 after a loss and 4 for any other reason",
    tuple(Standing),
    (
        Row("0", "放号 number released", Standing.NUMBER_RELEASED),
        Row("1", "正常 normal", Standing.NORMAL),
        Row("2", "挂失 loss", Standing.FORMAL_LOSS),
        Row("B", "临时挂失 temporary loss", Standing.TEMPORARY_LOSS),
        Row("3", "挂失后注销 cancelled after loss", Standing.CANCELLED_AFTER_LOSS),
        Row("4", "注销 cancelled", Standing.CANCELLED),
        Row("A", "未启用 not enabled", Standing.NOT_ENABLED),
    ),
    {
        Standing.LOCKED: "the province knows no lock: it would be a loss that nobody reported",
        Standing.SEALED: "the province does not seal: it would be a card that may still be enabled",
    },
)

XTLB: Final = CodeTable(
    DIALECT,
    "xtlb",
    "channel 系统类别",
    tuple(Channel),
    (
        Row("01", "SMS", Channel.SMS),
        Row("02", "bank", Channel.BANK_OUTLET),
        Row("03", "WeChat", Channel.WECHAT),
        Row("04", "app", Channel.APP),
        Row("05", "website", Channel.WEBSITE),
        Row("06", "employer's client", Channel.EMPLOYER),
        Row("26", "portable machine", Channel.PORTABLE_MACHINE),
    ),
    missing(
        (Channel.SERVICE_CENTRE, Channel.HOSPITAL, Channel.PHARMACY, Channel.SELF_SERVICE, Channel.PHONE),
        "the interface lists no such channel",
    ),
)

YXZJLX: Final = CodeTable(
    DIALECT,
    "yxzjlx",
    "kind of identity document 有效证件类型",
    tuple(Certificate),
    (
        Row("A", "identity card", Certificate.IDENTITY_CARD),
        Row("C", "passport", Certificate.PASSPORT),
        Row("D", "foreigner's permanent residence card", Certificate.FOREIGN_RESIDENT),
        Row("J", "Hong Kong or Macao permit", Certificate.HONG_KONG_MACAO_PERMIT),
        Row("K", "Taiwan permit", Certificate.TAIWAN_PERMIT),
        Row("M", "residence permit of Hong Kong, Macao or Taiwan", Certificate.RESIDENCE_PERMIT),
    ),
)

XB: Final = CodeTable(
    DIALECT,
    "xb",
    "sex 性别",
    tuple(Sex),
    (
        Row("1", "male", Sex.MALE),
        Row("2", "female", Sex.FEMALE),
        Row("9", "not said", Sex.UNSPECIFIED),
    ),
    {Sex.UNKNOWN: "the interface has no 0: find out, or say that it is not said"},
)

JHGX: Final = CodeTable(
    DIALECT,
    "jhgx",
    "guardian's relation 监护关系",
    tuple(AgentRelation),
    (
        Row("1", "father and son", AgentRelation.FATHER_OF_SON),
        Row("2", "father and daughter", AgentRelation.FATHER_OF_DAUGHTER),
        Row("3", "mother and son", AgentRelation.MOTHER_OF_SON),
        Row("4", "mother and daughter", AgentRelation.MOTHER_OF_DAUGHTER),
    ),
    missing((AgentRelation.APPOINTED_GUARDIAN, AgentRelation.PROXY), "the interface knows parents alone"),
)

YHBH: Final = CodeTable(
    DIALECT,
    "yhbh",
    "bank 银行编号",
    tuple(Bank),
    tuple(
        Row(bank.value, title, bank)
        for bank, title in (
            (Bank.ICBC, "ICBC"),
            (Bank.ABC, "ABC"),
            (Bank.BOC, "BOC"),
            (Bank.CCB, "CCB"),
            (Bank.PSBC, "PSBC"),
            (Bank.RURAL_COMMERCIAL, "rural commercial bank"),
        )
    ),
    missing(
        (Bank.BANK_OF_COMMUNICATIONS, Bank.CHINA_MERCHANTS, Bank.CITIC, Bank.BANK_OF_QINGDAO),
        "the interface lists no such bank",
    ),
)

ERRFLAG: Final = CodeTable(
    DIALECT,
    "errflag/errcode",
    "answer: errflag, and after a slash errcode of the checks whether somebody may apply",
    tuple(Answer),
    (
        Row("0", "done", Answer.DONE),
        Row("1", "failed, errtext says why", Answer.FAILED),
        Row("1/1", "person unknown", Answer.UNKNOWN_PERSON),
        Row("1/2", "name does not match", Answer.OTHER_NAME),
        Row("1/3", "duplicate", Answer.DUPLICATE),
        Row("1/4", "not allowed: has a card, has none, dead, or an application is open", Answer.NOT_ALLOWED),
    ),
    {Answer.ALREADY_SO: "the interface tells no second asking from the first"},
)

TABLES: Final = (KZT, XTLB, YXZJLX, XB, JHGX, YHBH, ERRFLAG)
