"""A terminal program such as pharmacies have, in its smallest form. It knows nothing of Kaguan."""

SOCIAL_SECURITY = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")


class Refused(Exception):
    """The card did not do what it was told."""


class Terminal:
    """Speaks to whatever has `transceive(bytes) -> bytes`."""

    def __init__(self, reader):
        self.reader = reader

    def ask(self, command):
        answer = self.reader.transceive(bytes.fromhex(command))
        while answer[-2] == 0x61:
            answer = answer[:-2] + self.reader.transceive(bytes((0x00, 0xC0, 0x00, 0x00, answer[-1])))
        if answer[-2:] != b"\x90\x00":
            raise Refused(answer[-2:].hex().upper())
        return answer[:-2]

    def select(self):
        self.ask("00A40400" + f"{len(SOCIAL_SECURITY):02X}" + SOCIAL_SECURITY.hex())

    def holder_name(self):
        self.ask("00A4000002EF06")
        return self.ask("00B2090020")[2:].rstrip(b"\0").decode("gb18030")

    def show_pin(self, digits):
        self.ask(f"00200000{len(digits) // 2:02X}{digits}")
