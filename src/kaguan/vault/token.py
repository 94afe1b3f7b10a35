"""A session with a PKCS#11 token: what went wrong is told apart, and a session that is lost is opened again.

Law 1. A token PIN that was wrong once is never tried again by this process.
Law 2. Nobody unattended tries a PIN at a token that has counted a wrong one since the last right one. So a wrong PIN
       in a file costs one try, however many stations start with it.
Law 3. What is run changes nothing in the token, or finds out first whether it has done so already. So after a lost
       session it is run again from its beginning, and nothing is done twice.

A process that was forked needs a session of its own: open it after the fork.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn, TypeVar

import pkcs11
from pkcs11 import TokenFlag

from kaguan.apdu.errors import VaultError
from kaguan.vault.secret import Secret
from kaguan.vault.tokenerrors import (
    MechanismAbsent,
    SessionLost,
    TokenAbsent,
    TokenFailed,
    TokenLocked,
    TokenPinAtRisk,
    WrongTokenPin,
)

PAUSES_SECONDS = (0.0, 0.2, 1.0, 5.0)
"""How long to wait before each new session after a lost one."""

Result = TypeVar("Result")


class TokenAddress(NamedTuple):
    """Which token: the library that speaks to it, and its label."""

    module: str
    label: str


_LOST = (
    pkcs11.SessionHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.UserNotLoggedIn,
    pkcs11.DeviceRemoved,
    pkcs11.DeviceError,
    pkcs11.TokenNotPresent,
    pkcs11.NoSuchToken,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.UnwrappingKeyHandleInvalid,
)
_WRONG_PIN = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
_NO_MECHANISM = (
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.FunctionNotSupported,
    pkcs11.KeyTypeInconsistent,
    pkcs11.TemplateInconsistent,
)


class TokenSession:
    """An open session. `run` works in it; `generation` counts the sessions, and what one made is gone in the next.

    `attended` says that somebody is there who has just typed the PIN; `wait` passes the time between two attempts to
    reach a token that is gone.

    Raises:
        TokenAbsent, TokenLocked, TokenPinAtRisk, WrongTokenPin, TokenFailed: as their texts say.
    """

    def __init__(
        self,
        address: TokenAddress,
        pin: Secret,
        *,
        attended: bool = False,
        writes: bool = False,
        wait: Callable[[float], object] = lambda seconds: None,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self.address = address
        self.generation = 0
        self._pin = pin
        self._attended = attended
        self._writes = writes
        self._wait = wait
        self._pauses_seconds = pauses_seconds
        self._wrong_pins = 0
        self._session: pkcs11.Session | None = None
        try:
            self._session = self._opened()
        except _LOST as error:
            raise TokenAbsent(f"{self.address.module} knows no token labelled {address.label!r}") from error
        except pkcs11.PKCS11Error as error:
            raise self._failed(error) from error

    def run(self, act: Callable[[pkcs11.Session], Result]) -> Result:
        """What `act` made of the session; it is run again from its beginning when the session is lost.

        Raises:
            SessionLost: no new session could be had, several times.
            TokenLocked, TokenPinAtRisk, WrongTokenPin: the token is there and does not let us in any more.
            MechanismAbsent, TokenFailed: the token refuses the work itself.
        """
        for pause_seconds in (*self._pauses_seconds, None):
            try:
                if self._session is None:
                    self._session = self._opened()
                return act(self._session)
            except _LOST as error:
                self._session = None
                if pause_seconds is None:
                    raise SessionLost(f"{self}: the token is gone; run the same command when it is back") from error
                self._wait(pause_seconds)
            except _NO_MECHANISM as error:
                raise MechanismAbsent(f"{self}: the token cannot do that ({_name(error)})") from error
            except pkcs11.PKCS11Error as error:
                raise self._failed(error) from error
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """The session is closed, and with it this process's login at the token."""
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:
                return  # it was lost before

    def _opened(self) -> pkcs11.Session:
        """A new session in which the token's user is logged in."""
        if self._wrong_pins:
            raise WrongTokenPin(f"{self}: the PIN was wrong before and is not tried again")
        token = self._token()
        self._require_safe(token)
        attended, self._attended = self._attended, False
        try:
            session = self._logged_in(token)
        except _WRONG_PIN as error:
            self._wrong_pins += 1
            who = "typed" if attended else "in the file"
            raise WrongTokenPin(f"{self}: the PIN {who} is wrong; {self._tries()}, and it is not repeated") from error
        except pkcs11.PinLocked as error:
            raise self._locked() from error
        except (pkcs11.UserPinNotInitialized, pkcs11.PinExpired) as error:
            raise TokenAbsent(f"{self}: the token has no valid user PIN: its security officer must set one") from error
        self.generation += 1
        return session

    def _logged_in(self, token: pkcs11.Token) -> pkcs11.Session:
        try:
            return token.open(rw=self._writes, user_pin=self._pin.reveal().decode())
        except pkcs11.UserAlreadyLoggedIn:  # another session of this process has said the PIN; the login is shared
            return token.open(rw=self._writes)

    def _token(self) -> pkcs11.Token:
        try:
            library = pkcs11.lib(self.address.module)
        except pkcs11.PKCS11Error as error:
            if type(error) is not pkcs11.PKCS11Error:  # the token's own errors have classes of their own
                raise
            raise TokenAbsent(f"{self.address.module}: no PKCS#11 library works from there ({error})") from error
        try:
            return library.get_token(token_label=self.address.label)
        except pkcs11.MultipleTokensReturned:
            raise TokenAbsent(f"several tokens are labelled {self.address.label!r}: give each its own label") from None

    def _require_safe(self, token: pkcs11.Token) -> None:
        flags = token.flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            raise self._locked()
        if not self._attended and flags & (TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.USER_PIN_FINAL_TRY):
            raise TokenPinAtRisk(
                f"{self}: a wrong PIN was entered at the token, so nobody unattended tries another: "
                "log in once by hand, with 'kaguan keys token list' and no PIN file"
            )

    def _locked(self) -> TokenLocked:
        return TokenLocked(
            f"{self}: the token is locked after too many wrong PINs: its security officer must unlock it"
        )

    def _tries(self) -> str:
        """What the token says of the tries that are left; tokens tell no number."""
        try:
            flags = self._token().flags
        except (pkcs11.PKCS11Error, VaultError):
            return "the token has counted it"
        if flags & TokenFlag.USER_PIN_LOCKED:
            return "the token is locked now"
        return "one try is left" if flags & TokenFlag.USER_PIN_FINAL_TRY else "the token has counted it"

    def _failed(self, error: pkcs11.PKCS11Error) -> TokenFailed:
        return TokenFailed(f"{self}: the token reports {_name(error)}")

    def __str__(self) -> str:
        return f"token {self.address.label!r}"

    def __repr__(self) -> str:
        return f"<TokenSession {self.address.label!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a TokenSession is this process's own and is not to be pickled or copied")


def _name(error: pkcs11.PKCS11Error) -> str:
    """The error as the standard names it, more or less; the library gives most of its errors no text."""
    return ": ".join(filter(None, (type(error).__name__, str(error))))
