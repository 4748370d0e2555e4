; The first sector of a disk: asks the firmware what memory there is, reads the second sector, whose bytes
; tell that it is the right one, prints it, and ends with its last byte.
bits 16
org 0x7c00
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [drive], dl

  mov ax, 0x0003                ; a screen of 80 × 25 characters
  int 0x10
  mov ax, 0xe801                ; KiB from 1 MiB to 16 MiB
  int 0x15
  mov bl, 1
  jc fail
  cmp ax, 0x3c00
  jne fail

  mov ah, 0x42                  ; extended read
  mov dl, [drive]
  mov si, packet
  int 0x13
  mov bl, 2
  jc fail

  mov si, 0x8000
print:
  lodsb
  or al, al
  jz done
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp print
done:
  mov bl, [0x81ff]
fail:
  mov al, bl
  out 0xf4, al
  hlt

drive: db 0
align 4
packet:
  dw 16, 1
  dw 0x8000, 0
  dq 1
times 510 - ($ - $$) db 0
  dw 0xaa55

  db "second sector", 13, 10, 0
times 1023 - ($ - $$) db 0
  db 0x2a
; Firmware counts in cylinders of 504 KiB: the disk has some of them.
times 512 * 4096 - ($ - $$) db 0
