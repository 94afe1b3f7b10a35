"""The numbers that the ministry's calls return: 0 is done, a negative one says what went wrong.

A card's refusal is its status word with a minus: 6982 is -27010. Everything else is in `Number`.
Source: the numbers and their meanings as shipping drivers, and the web pages that call them, have them (LD/T 6001.5
names the calls alone); `CONFIDENCE` says how good that evidence is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from kaguan.apdu.errors import (
    ApduSyntaxError,
    CardLost,
    CodecError,
    KaguanError,
    LinkError,
    NoCard,
    NoReader,
    TlvSyntaxError,
    VaultError,
)
from kaguan.card_os.profile.model import Confidence
from kaguan.terminal.pcsc import WITHOUT_PYSCARD
from kaguan.terminal.reader_errors import CardPulledOut
from kaguan.terminal.refusals import CardRefused, NotGenuine


class Number(IntEnum):
    """Every number that is no status word."""

    DONE = 0
    WRONG_TYPE = -1
    NO_CARD = -2
    NOT_POWERED = -3
    NO_ANSWER = -4
    LIBRARY_ABSENT = -5
    READER_FAILED = -11
    NOT_CONNECTED = -12
    UNKNOWN_CALL = -13
    WRONG_PARAMETER = -14
    CORRUPT = -15
    IDENT_CODE_MALFORMED = -20
    NOT_GENUINE = -21
    OTHER_CARD = -22
    ILLEGAL_INPUT = -23
    LEVEL_TOO_LOW = -24
    UNEXPLAINED = -25
    PIN_CANCELLED = -31
    PIN_TIMED_OUT = -32
    PIN_LENGTH = -33
    PINS_DIFFER = -34
    INITIAL_PIN = -35
    BECOMES_INITIAL_PIN = -36
    ILLEGAL_CHARACTER = -41
    WRONG_LENGTH = -42
    PIN_WRONG = -51
    PIN_BLOCKED = -52
    NO_MODULE = -2201
    ALGORITHM_UNSUPPORTED = -2202
    NO_READING_KEY = -2203
    HSM_NOT_NEEDED = -2204
    KEY_NOT_FOUND = -0x6A88
    MAC_WRONG = -0x9302


MEANINGS: Final[Mapping[int, str]] = {
    Number.DONE: "成功",
    Number.WRONG_TYPE: "卡类型不正确",
    Number.NO_CARD: "无卡",
    Number.NOT_POWERED: "有卡未上电",
    Number.NO_ANSWER: "卡无应答",
    Number.LIBRARY_ABSENT: "动态库缺失",
    Number.READER_FAILED: "读卡器连接错误",
    Number.NOT_CONNECTED: "未建立连接",
    Number.UNKNOWN_CALL: "不支持该命令",
    Number.WRONG_PARAMETER: "命令参数错误",
    Number.CORRUPT: "信息校验出错",
    Number.IDENT_CODE_MALFORMED: "卡识别码格式错误",
    Number.NOT_GENUINE: "内部认证失败",
    Number.OTHER_CARD: "传入数据与卡内不符",
    Number.ILLEGAL_INPUT: "传入数据不合法",
    Number.LEVEL_TOO_LOW: "密钥级别不够",
    Number.UNEXPLAINED: "含义未公开",
    Number.PIN_CANCELLED: "密码输入被取消",
    Number.PIN_TIMED_OUT: "密码输入超时",
    Number.PIN_LENGTH: "密码长度错误",
    Number.PINS_DIFFER: "两次输入的密码不一致",
    Number.INITIAL_PIN: "初始密码不能交易",
    Number.BECOMES_INITIAL_PIN: "不能改为初始密码",
    Number.ILLEGAL_CHARACTER: "运算数据含非法字符",
    Number.WRONG_LENGTH: "运算数据长度错误",
    Number.PIN_WRONG: "PIN校验失败",
    Number.PIN_BLOCKED: "PIN锁定",
    Number.NO_MODULE: "无PSAM卡",
    Number.ALGORITHM_UNSUPPORTED: "算法不支持",
    Number.NO_READING_KEY: "无RKSSSE密钥",
    Number.HSM_NOT_NEEDED: "不需要加密机认证",
    -0x6581: "写失败",
    -0x6700: "长度不正确",
    -0x6901: "命令状态不正确",
    -0x6981: "文件类型不符",
    -0x6982: "不满足安全条件",
    -0x6983: "密钥锁定",
    -0x6984: "随机数无效",
    -0x6985: "不满足使用条件",
    -0x6986: "没有当前文件",
    -0x6988: "安全报文不正确",
    -0x6A80: "数据不正确",
    -0x6A81: "应用或卡片锁定",
    -0x6A82: "未找到文件",
    -0x6A83: "未找到记录",
    Number.KEY_NOT_FOUND: "未找到密钥",
    Number.MAC_WRONG: "MAC无效",
    -0x9303: "永久锁定",
    -0x9401: "余额不足",
    -0x9403: "密钥索引不支持",
    -0x9406: "所需MAC不可用",
}
"""What `pOut` says beside a negative number. Whether the real library says anything there is not public."""

FALLBACK: Final = frozenset(
    {
        Number.NO_MODULE,
        Number.ALGORITHM_UNSUPPORTED,
        Number.NO_READING_KEY,
        Number.KEY_NOT_FOUND,
        Number.LEVEL_TOO_LOW,
    }
)
"""After these the pages go on with a hardware security module, in steps."""

CONFIDENCE: Final[Mapping[int, Confidence]] = {
    Number.UNEXPLAINED: Confidence.ONE_SOURCE,
    Number.NOT_POWERED: Confidence.ONE_SOURCE,
    Number.LIBRARY_ABSENT: Confidence.ONE_SOURCE,
    Number.WRONG_PARAMETER: Confidence.ONE_SOURCE,
    Number.CORRUPT: Confidence.ONE_SOURCE,
}
"""Numbers whose cause one source alone gives; those of all others several do (B)."""


class CallFailed(KaguanError):
    """A call of the ministry's did not come to its end; `number` says why."""

    exit_code = 3

    def __init__(self, number: int) -> None:
        self.number = int(number)
        super().__init__(f"{self.number}: {meaning(self.number)}")


class ModuleLost(CallFailed):
    """The security module does not answer: as good as none."""

    def __init__(self) -> None:
        super().__init__(Number.NO_MODULE)


def meaning(number: int) -> str:
    """The number in words."""
    if -0x63CF <= number <= -0x63C0:
        return "认证失败"
    return MEANINGS.get(number, "未知错误")


def number_of(error: KaguanError) -> int:
    """The number that stands for the error.

    Raises:
        KaguanError: the error itself, when no number stands for it.
    """
    match error:
        case CallFailed():
            return error.number
        case CardRefused():
            return -int(error.sw)
        case NotGenuine():
            cause = error.__cause__
            return -int(cause.sw) if isinstance(cause, CardRefused) else Number.NOT_GENUINE
        case NoCard() | CardPulledOut():
            return Number.NO_CARD
        case NoReader():
            return Number.LIBRARY_ABSENT if str(error) == WITHOUT_PYSCARD else Number.READER_FAILED
        case CardLost():
            return Number.NO_ANSWER
        case LinkError():
            return Number.READER_FAILED
        case VaultError():
            return Number.KEY_NOT_FOUND
        case CodecError() | TlvSyntaxError() | ApduSyntaxError():
            return Number.CORRUPT
    raise error
