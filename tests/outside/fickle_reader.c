/* A driver for pcscd: a reader whose fate stands in a file, the one that the settings name as its device.
 *
 *   in         a card is in, and answers 9000
 *   out        no card
 *   mute       a card is in and answers no reset
 *   silent     a card is in and answers no command
 *   unplugged  the reader does not answer
 *
 * GET CHALLENGE waits until the file says something else than "in", so that its fate comes during a command.
 */
#include <ifdhandler.h>
#include <reader.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const UCHAR ATR[] = {0x3B, 0x02, 0x99, 0x01};
static char state_file[4096];

static int state_is(const char *wanted)
{
    char word[16] = "";
    FILE *file = fopen(state_file, "r");
    if (file == NULL)
        return 0;
    int read = fscanf(file, "%15s", word);
    fclose(file);
    return read == 1 && strcmp(word, wanted) == 0;
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device)
{
    (void)lun;
    snprintf(state_file, sizeof state_file, "%s", device);
    return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel)
{
    (void)lun, (void)channel;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHCloseChannel(DWORD lun)
{
    (void)lun;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
    (void)lun;
    if (tag == TAG_IFD_ATR || tag == SCARD_ATTR_ATR_STRING) {
        *length = sizeof ATR;
        memcpy(value, ATR, sizeof ATR);
        return IFD_SUCCESS;
    }
    if (tag == TAG_IFD_SLOTS_NUMBER || tag == TAG_IFD_SIMULTANEOUS_ACCESS) {
        *length = 1;
        *value = 1;
        return IFD_SUCCESS;
    }
    return IFD_ERROR_TAG;
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value)
{
    (void)lun, (void)tag, (void)length, (void)value;
    return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR a, UCHAR b, UCHAR c)
{
    (void)lun, (void)protocol, (void)flags, (void)a, (void)b, (void)c;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD length)
{
    (void)lun;
    if (action == IFD_POWER_DOWN)
        return IFD_SUCCESS;
    if (state_is("mute")) {
        *length = 0;
        return IFD_ERROR_POWER_ACTION;
    }
    *length = sizeof ATR;
    memcpy(atr, ATR, sizeof ATR);
    return IFD_SUCCESS;
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send, PUCHAR command, DWORD size, PUCHAR answer,
                               PDWORD answer_size, PSCARD_IO_HEADER receive)
{
    (void)lun, (void)send, (void)receive;
    for (int waited = 0; size > 1 && command[1] == 0x84 && state_is("in") && waited < 1000; waited++)
        usleep(10000);
    if (!state_is("in")) {
        *answer_size = 0;
        return IFD_COMMUNICATION_ERROR;
    }
    answer[0] = 0x90;
    answer[1] = 0x00;
    *answer_size = 2;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR in, DWORD in_size, PUCHAR out, DWORD out_size, LPDWORD size)
{
    (void)lun, (void)code, (void)in, (void)in_size, (void)out, (void)out_size, (void)size;
    return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
    (void)lun;
    if (state_is("unplugged"))
        return IFD_COMMUNICATION_ERROR;
    return state_is("out") ? IFD_ICC_NOT_PRESENT : IFD_ICC_PRESENT;
}
